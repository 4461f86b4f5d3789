from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tests.drawn import colours, pixels, places, words

from honshi.evaluation.diagnosis import diagnose
from honshi.evaluation.history import Row
from honshi.reports.curves import PARTS, VALIDATION, draw, draw_band, draw_diagnosis


def rows(*val_losses: float) -> list[Row]:
    return [
        Row(epoch, 0.9 / epoch, 1 - 0.3 / epoch, loss, 0.9, lr=0.1, seconds=1.0)
        for epoch, loss in enumerate(val_losses, start=1)
    ]


TRAINING = PARTS[0][2]


def test_the_curves_are_a_picture_of_1350_by_540_pixels(tmp_path: Path) -> None:
    draw(rows(0.5, 0.3, 0.4), tmp_path / "curves.png")

    assert pixels(tmp_path / "curves.png").shape == (540, 1350, 3)


def heights(path: Path, colour: str) -> tuple[float, float]:
    """How high the ends of a curve lie in the left half, as rows from the top; the legend above is left out."""
    rows, columns = places(path, colour)
    inside = (columns < 650) & (rows > 150)
    rows, columns = rows[inside], columns[inside]
    first, last = columns < columns.min() + 5, columns > columns.max() - 5
    return float(rows[first].mean()), float(rows[last].mean())


def test_each_curve_goes_where_its_losses_go(tmp_path: Path) -> None:
    draw(rows(0.1, 0.2, 0.4), tmp_path / "curves.png")

    # The training loss falls from 0.9 to 0.3, and rows are counted from the top.
    training, validation = (heights(tmp_path / "curves.png", colour) for colour in (TRAINING, VALIDATION))
    assert training[0] < training[1] - 100
    assert validation[0] > validation[1] + 50
    assert training[0] < validation[0]
    assert training[1] > validation[1]


@pytest.mark.parametrize(
    ("val_losses", "label"),
    [((0.5, 0.3, 0.4), "best epoch: 2 (0.3000)"), ((0.5, 0.3, 0.25), "best epoch: 3 (0.2500)")],
)
def test_the_best_epoch_is_marked(tmp_path: Path, val_losses: tuple[float, ...], label: str) -> None:
    draw(rows(*val_losses), tmp_path / "curves.svg")

    assert label in words(tmp_path / "curves.svg")


def test_both_curves_are_named(tmp_path: Path) -> None:
    draw(rows(0.5, 0.3), tmp_path / "curves.svg")

    assert {"loss", "accuracy", "training", "validation", "epoch"} <= set(words(tmp_path / "curves.svg"))


@pytest.mark.parametrize("count", [1, 2, 200])
def test_any_number_of_epochs_can_be_drawn(tmp_path: Path, count: int) -> None:
    draw(rows(*[0.5] * count), tmp_path / "curves.png")

    assert pixels(tmp_path / "curves.png").shape == (540, 1350, 3)
    assert {colour for _, _, colour in PARTS} <= colours(tmp_path / "curves.png")


def test_missing_folders_are_made(tmp_path: Path) -> None:
    draw(rows(0.5), tmp_path / "a" / "b" / "curves.png")

    assert VALIDATION in colours(tmp_path / "a" / "b" / "curves.png")


def test_several_seeds_are_drawn_as_one_picture_as_far_as_all_of_them_went(tmp_path: Path) -> None:
    draw_band([rows(0.5, 0.3, 0.4), rows(0.6, 0.2)], tmp_path / "curves.svg")

    written = words(tmp_path / "curves.svg")
    assert "loss, mean ± deviation of 2 seeds" in written
    assert "2" in written
    assert "3" not in written
    assert not [word for word in written if word.startswith("best epoch")]


def test_the_band_is_as_wide_as_the_seeds_differ(tmp_path: Path) -> None:
    def width(*seeds: list[Row]) -> int:
        draw_band(seeds, tmp_path / "curves.png")
        red, _, blue = pixels(tmp_path / "curves.png")[:, :650].transpose(2, 0, 1)
        return int(((red > 230) & (blue > 180) & (blue < 230)).sum())

    alike, different = width(rows(0.5, 0.4), rows(0.51, 0.41)), width(rows(0.3, 0.2), rows(0.6, 0.5))
    assert different > 5 * alike


def shaded(path: Path) -> list[int]:
    """The columns of a picture that are yellow somewhere."""
    red, green, blue = pixels(path).transpose(2, 0, 1)
    yellow = (red > 230) & (green > 220) & (blue < red - 30)
    return [int(x) for x in np.flatnonzero(yellow.sum(axis=0) > 50)]


def test_the_place_of_a_verdict_is_marked_from_there_on(tmp_path: Path) -> None:
    history = rows(0.5, 0.3, 0.5, 0.6, 0.7, 0.7)
    verdict = diagnose(history, val_size=6000, guessing_loss=2.3)
    assert (verdict.verdict, verdict.epoch) == ("overfitting", 2)

    draw_diagnosis(history, verdict, tmp_path / "diagnosis.png")
    draw_diagnosis(history, dataclasses.replace(verdict, epoch=None), tmp_path / "unmarked.png")
    draw_diagnosis(history, verdict, tmp_path / "diagnosis.svg")

    left = [x for x in shaded(tmp_path / "diagnosis.png") if x < 660]
    assert 100 < min(left) < 200
    assert max(left) > 580
    assert shaded(tmp_path / "unmarked.png") == []
    assert str(verdict.sentence) in words(tmp_path / "diagnosis.svg")


def test_a_loss_of_millions_does_not_press_the_rest_to_the_ground(tmp_path: Path) -> None:
    history = rows(1e6, 2.3, 2.3, 2.3)
    verdict = diagnose(history, val_size=6000, guessing_loss=2.3)

    draw_diagnosis(history, verdict, tmp_path / "diagnosis.svg")

    assert "4" in words(tmp_path / "diagnosis.svg")
    assert "1e6" not in words(tmp_path / "diagnosis.svg")
