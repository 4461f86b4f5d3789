from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from honshi.evaluation.diagnosis import diagnose
from honshi.evaluation.history import Row
from honshi.reports.curves import PARTS, draw, draw_band, draw_diagnosis


def rows(*val_losses: float) -> list[Row]:
    return [
        Row(epoch, 0.9 / epoch, 1 - 0.3 / epoch, loss, 0.9, lr=0.1, seconds=1.0)
        for epoch, loss in enumerate(val_losses, start=1)
    ]


def test_the_curves_are_a_picture_of_1350_by_540_pixels(tmp_path: Path) -> None:
    draw(rows(0.5, 0.3, 0.4), tmp_path / "curves.png")

    with Image.open(tmp_path / "curves.png") as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.size == (1350, 540)


def test_training_and_validation_are_drawn_in_their_colours(tmp_path: Path) -> None:
    draw(rows(0.5, 0.3, 0.4), tmp_path / "curves.png")

    with Image.open(tmp_path / "curves.png") as picture:
        pixels = picture.convert("RGB").get_flattened_data()
    colours = {"#{:02X}{:02X}{:02X}".format(*pixel) for pixel in pixels if isinstance(pixel, tuple)}
    assert {colour for _, _, colour in PARTS} <= colours


@pytest.mark.parametrize(
    ("val_losses", "label"),
    [((0.5, 0.3, 0.4), "best epoch: 2 (0.3000)"), ((0.5, 0.3, 0.25), "best epoch: 3 (0.2500)")],
)
def test_the_best_epoch_is_marked(tmp_path: Path, val_losses: tuple[float, ...], label: str) -> None:
    draw(rows(*val_losses), tmp_path / "curves.svg")

    # Letters in the file are shapes; beside them stands, as a comment, what they spell.
    assert f"<!-- {label} -->" in (tmp_path / "curves.svg").read_text()


def test_both_curves_are_named(tmp_path: Path) -> None:
    draw(rows(0.5, 0.3), tmp_path / "curves.svg")

    content = (tmp_path / "curves.svg").read_text()
    assert all(f"<!-- {text} -->" in content for text in ("loss", "accuracy", "training", "validation", "epoch"))


@pytest.mark.parametrize("count", [1, 2, 200])
def test_any_number_of_epochs_can_be_drawn(tmp_path: Path, count: int) -> None:
    draw(rows(*[0.5] * count), tmp_path / "curves.png")

    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1350, 540)


def test_missing_folders_are_made(tmp_path: Path) -> None:
    draw(rows(0.5), tmp_path / "a" / "b" / "curves.png")

    assert (tmp_path / "a" / "b" / "curves.png").exists()


def test_several_seeds_are_drawn_as_one_picture_as_far_as_all_of_them_went(tmp_path: Path) -> None:
    draw_band([rows(0.5, 0.3, 0.4), rows(0.6, 0.2)], tmp_path / "curves.svg")

    content = (tmp_path / "curves.svg").read_text()
    assert "<!-- loss, mean ± deviation of 2 seeds -->" in content
    assert "<!-- best epoch" not in content


def shaded(path: Path) -> list[int]:
    """The columns of a picture that are yellow somewhere."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    yellow = (pixels[..., 0] > 230) & (pixels[..., 1] > 220) & (pixels[..., 2] < pixels[..., 0] - 30)
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
    assert f"<!-- {verdict.sentence} -->" in (tmp_path / "diagnosis.svg").read_text()


def test_a_loss_of_millions_does_not_press_the_rest_to_the_ground(tmp_path: Path) -> None:
    history = rows(1e6, 2.3, 2.3, 2.3)
    verdict = diagnose(history, val_size=6000, guessing_loss=2.3)

    draw_diagnosis(history, verdict, tmp_path / "diagnosis.svg")

    content = (tmp_path / "diagnosis.svg").read_text()
    assert "<!-- 4 -->" in content
    assert "<!-- 1e6 -->" not in content
