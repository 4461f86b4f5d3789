from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import honshi as library


@pytest.fixture
def digits(folder: Path, mnist: library.Splits) -> Path:
    """Ten validation images as PNG files, named by their place and label."""
    place = folder / "digits"
    place.mkdir(exist_ok=True)
    for index in range(10):
        label = int(mnist.val.labels[index])
        Image.fromarray(mnist.val.pixels[index, 0].numpy()).save(place / f"{index}-{label}.png")
    return place


def test_one_image_gets_a_label_and_a_confidence(honshi_there: Callable[..., Any], digits: Path) -> None:
    image = sorted(digits.iterdir())[0]

    (prediction,) = honshi_there("predict", "first", image, "--json").json

    assert prediction["path"] == str(image)
    assert prediction["label"] in "0123456789"
    assert prediction["confidence"] == max(prediction["probabilities"].values())
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)


def test_a_folder_becomes_a_submission(honshi_there: Callable[..., Any], digits: Path, folder: Path) -> None:
    finished = honshi_there("predict", "first", digits, "--csv", "submission.csv")

    assert finished.code == 0, finished.err
    with (folder / "submission.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["path", "label", "confidence"]
    right = sum(row["label"] == Path(row["path"]).stem.split("-")[1] for row in rows)
    assert (len(rows), right >= 5) == (10, True)


def test_an_unreadable_image_does_not_keep_the_others_from_being_read(
    honshi_there: Callable[..., Any], digits: Path, folder: Path
) -> None:
    broken = folder / "broken.png"
    broken.write_text("<html>not found</html>")

    finished = honshi_there("predict", "first", broken, sorted(digits.iterdir())[0], "--json")

    assert finished.code == 1
    failed, read = finished.json
    assert set(failed) == {"path", "error"}
    assert "label" in read
    assert "broken.png" in finished.err


def test_ink_on_paper_is_noticed_and_inverted(
    honshi_there: Callable[..., Any], folder: Path, mnist: library.Splits
) -> None:
    ink = folder / "ink.png"
    Image.fromarray(255 - mnist.val.pixels[0, 0].numpy()).save(ink)
    chalk = folder / "chalk.png"
    Image.fromarray(mnist.val.pixels[0, 0].numpy()).save(chalk)

    assert "--invert" in honshi_there("predict", "first", ink).err
    (inverted,) = honshi_there("predict", "first", ink, "--invert", "--json").json
    (plain,) = honshi_there("predict", "first", chalk, "--json").json
    assert inverted["probabilities"] == plain["probabilities"]


def test_a_missing_image_is_a_wrong_request(honshi_there: Callable[..., Any]) -> None:
    finished = honshi_there("predict", "first", "nowhere.png")

    assert finished.code == 2
    assert "nowhere.png" in finished.err
