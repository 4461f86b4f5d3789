from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.drawn import pixels, places, words

from honshi.evaluation.calibration import Reliability, reliability
from honshi.reports.reliability import AFTER, BEFORE, draw_reliability


def measured(confidence: float, right: list[bool]) -> Reliability:
    """Two classes; each answer is of this confidence, and these are right."""
    logit = torch.logit(torch.tensor(confidence)).item()
    return reliability(torch.tensor([[logit, 0.0]] * len(right)), torch.tensor([0 if yes else 1 for yes in right]))


def dot(path: Path, colour: str) -> tuple[float, float]:
    """Where the one point of a curve lies in the left diagram: how far up and how far right, as parts of the picture.

    The legend at the top left is left out.
    """
    rows, columns = places(path, colour)
    height, width, _ = pixels(path).shape
    inside = (columns < width / 2) & ((columns > width / 4) | (rows > height / 3))
    return 1 - rows[inside].mean() / height, columns[inside].mean() / width


@pytest.mark.parametrize(("right", "above"), [([True, True], True), ([False, False], False)])
def test_answers_that_are_right_more_often_than_they_claim_lie_above(
    tmp_path: Path, right: list[bool], above: bool
) -> None:
    half = measured(0.75, [True, True, True, False])
    draw_reliability(half, measured(0.75, right), 1.0, tmp_path / "reliability.png")

    calibrated, judged = (dot(tmp_path / "reliability.png", colour) for colour in (BEFORE, AFTER))
    assert abs(judged[0] - calibrated[0]) > 0.1
    assert (judged[0] > calibrated[0]) == above
    assert judged[1] == pytest.approx(calibrated[1], abs=0.01)


def test_a_surer_answer_lies_further_right(tmp_path: Path) -> None:
    draw_reliability(measured(0.55, [True, False]), measured(0.95, [True, False]), 0.5, tmp_path / "reliability.png")

    assert dot(tmp_path / "reliability.png", BEFORE)[1] < dot(tmp_path / "reliability.png", AFTER)[1] - 0.1


def test_both_errors_and_the_temperature_are_written(tmp_path: Path) -> None:
    before, after = measured(0.95, [True, False]), measured(0.6, [True, False])

    draw_reliability(before, after, 2.5, tmp_path / "reliability.svg")

    written = words(tmp_path / "reliability.svg")
    assert "before: expected calibration error 45.00%" in written
    assert "after: expected calibration error 10.00%" in written
    assert "temperature 2.500" in written
