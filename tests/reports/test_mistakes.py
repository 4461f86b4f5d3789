from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

import honshi
from honshi.reports.mistakes import draw_mistakes


def images(count: int) -> honshi.Images:
    return honshi.Images(
        pixels=torch.zeros(count, 1, 8, 8, dtype=torch.uint8),
        labels=torch.zeros(count, dtype=torch.int64),
        classes=("a", "b"),
    )


def test_it_counts_the_mistakes(tmp_path: Path) -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])

    assert draw_mistakes(images(3), probabilities, tmp_path / "mistakes.png") == 2
    with Image.open(tmp_path / "mistakes.png") as picture:
        assert picture.width > 1000


def test_a_model_without_mistakes_gets_an_empty_picture(tmp_path: Path) -> None:
    assert draw_mistakes(images(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]]), tmp_path / "mistakes.png") == 0


def test_more_mistakes_than_places_are_counted_all(tmp_path: Path) -> None:
    assert draw_mistakes(images(100), torch.tensor([[0.0, 1.0]] * 100), tmp_path / "mistakes.png") == 100
