from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from honshi.evaluation.calibration import reliability
from honshi.reports.reliability import draw_reliability


def test_the_diagram_is_drawn_also_where_bins_are_empty(tmp_path: Path) -> None:
    logits, labels = torch.tensor([[9.0, 0.0], [0.0, 9.0]]), torch.tensor([0, 0])
    before, after = reliability(logits, labels), reliability(logits, labels, 10.0)

    draw_reliability(before, after, 10.0, tmp_path / "reliability.png")

    with Image.open(tmp_path / "reliability.png") as picture:
        assert picture.width > 1000
