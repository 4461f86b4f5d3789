from __future__ import annotations

from pathlib import Path

import pytest
from tests.drawn import places, words

from honshi.reports.curves import VALIDATION
from honshi.reports.lr_range import draw_lr_range

LRS, LOSSES = [1e-4, 1e-3, 1e-2, 1e-1, 1.0], [2.3, 2.2, 1.5, 0.9, 4.0]


def test_both_rates_are_named(tmp_path: Path) -> None:
    draw_lr_range(LRS, LOSSES, 0.001, 0.05, tmp_path / "range.svg")

    assert {"as set: 0.001", "suggestion: 0.05", "learning rate"} <= set(words(tmp_path / "range.svg"))


def test_without_a_suggestion_none_is_drawn(tmp_path: Path) -> None:
    for suffix in ("svg", "png"):
        draw_lr_range(LRS, LOSSES, 0.001, None, tmp_path / f"range.{suffix}")

    assert not [word for word in words(tmp_path / "range.svg") if word.startswith("suggestion")]
    assert not places(tmp_path / "range.png", VALIDATION)[0].size


def test_the_suggestion_stands_at_its_rate_on_a_logarithmic_axis(tmp_path: Path) -> None:
    columns = []
    for suggestion in (0.001, 0.01, 0.1):
        draw_lr_range(LRS, LOSSES, 0.0003, suggestion, tmp_path / "range.png")
        rows, drawn = places(tmp_path / "range.png", VALIDATION)
        # The line, and not its sample in the legend: it crosses the middle of the picture.
        columns.append(drawn[(rows > 200) & (rows < 440)].mean())

    first, second, third = columns
    assert first < second < third
    assert third - second == pytest.approx(second - first, abs=1.5)
