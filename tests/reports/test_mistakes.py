from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.drawn import places, words

import honshi
from honshi.reports.mistakes import draw_mistakes


def images(*brightness: int) -> honshi.Images:
    """Cats, each of one shade of grey between a black and a white pixel."""
    pixels = torch.tensor(brightness, dtype=torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 8, 8)
    return honshi.Images(pixels=pixels, labels=torch.zeros(len(brightness), dtype=torch.int64), classes=("cat", "dog"))


def test_the_surest_mistake_comes_first_and_right_answers_are_left_out(tmp_path: Path) -> None:
    probabilities = torch.tensor([[0.4, 0.6], [0.9, 0.1], [0.2, 0.8]])

    assert draw_mistakes(images(70, 140, 210), probabilities, tmp_path / "mistakes.png") == 2

    (right_cat, _), (surest, left), (other, further) = (
        places(tmp_path / "mistakes.png", colour) for colour in ("#8C8C8C", "#D2D2D2", "#464646")
    )
    # The edges of letters have any grey, an image thousands of pixels of one.
    assert len(right_cat) < 100
    assert len(surest) == pytest.approx(len(other), rel=0.1)
    assert np.median(left) < np.median(further) - 100


def test_each_says_what_it_is_what_it_was_taken_for_and_how_surely(tmp_path: Path) -> None:
    draw_mistakes(images(70, 140, 210), torch.tensor([[0.4, 0.6], [0.9, 0.1], [0.2, 0.8]]), tmp_path / "mistakes.svg")

    written = words(tmp_path / "mistakes.svg")
    assert written.count("cat → dog") == 2
    assert written.index("80.0%") < written.index("60.0%")
    assert "2 mistakes among 3: true → predicted, confidence" in written


def test_a_model_without_mistakes_gets_a_picture_that_says_so(tmp_path: Path) -> None:
    assert draw_mistakes(images(70, 140), torch.tensor([[1.0, 0.0], [1.0, 0.0]]), tmp_path / "mistakes.svg") == 0

    assert words(tmp_path / "mistakes.svg") == ["0 mistakes among 2: true → predicted, confidence"]


def test_more_mistakes_than_places_are_counted_all_and_32_are_shown(tmp_path: Path) -> None:
    wrong = torch.tensor([[0.0, 1.0]] * 100)

    assert draw_mistakes(images(*[70] * 100), wrong, tmp_path / "mistakes.svg") == 100

    assert words(tmp_path / "mistakes.svg").count("cat → dog") == 32
