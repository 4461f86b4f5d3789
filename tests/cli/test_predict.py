from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import honshi as library
from honshi.models.card import needed_card
from honshi.prediction import prepare


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


def test_what_the_model_saw_is_written_pixel_by_pixel(
    honshi_there: Callable[..., Any], digits: Path, folder: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "drawn.png"
    paper = Image.new("L", (300, 200), 255)
    ImageDraw.Draw(paper).line([(100, 40), (110, 160)], fill=0, width=14)
    paper.save(drawn)
    (tmp_path / "broken.png").write_text("<html>not found</html>")
    first, *_ = sorted(digits.iterdir())
    again = tmp_path / first.name
    shutil.copy(first, again)

    finished = honshi_there("predict", "first", drawn, tmp_path / "broken.png", first, again, "--show", "seen")

    assert sorted(path.name for path in (folder / "seen").iterdir()) == sorted(
        ["drawn.png", f"{first.stem}.png", f"{first.stem}-2.png"]
    )
    model = library.load_model(folder / "runs" / "first" / "model.safetensors")
    for picture, seen in ((drawn, "drawn.png"), (first, f"{first.stem}.png")):
        expected = prepare(picture, needed_card(model).contract)
        assert np.array_equal(np.asarray(Image.open(folder / "seen" / seen)), expected[0].numpy())
    assert finished.code == 1
    assert "brought into MNIST's form" in finished.out


def test_what_the_model_saw_overwrites_nothing(honshi_there: Callable[..., Any], digits: Path) -> None:
    before = {path: path.read_bytes() for path in digits.iterdir()}

    refused = honshi_there("predict", "first", digits, "--show", digits)

    assert refused.code == 2
    assert "into a new folder, or an empty one" in refused.err
    assert {path: path.read_bytes() for path in digits.iterdir()} == before


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


def test_a_drawn_digit_is_brought_into_mnists_form_and_the_line_says_so(
    honshi_there: Callable[..., Any], folder: Path, mnist: library.Splits
) -> None:
    ink, chalk = folder / "ink.png", folder / "chalk.png"
    Image.fromarray(255 - mnist.val.pixels[0, 0].numpy()).save(ink)
    Image.fromarray(mnist.val.pixels[0, 0].numpy()).save(chalk)

    assert "brought into MNIST's form" in honshi_there("predict", "first", ink).out
    assert "brought into MNIST's form" not in honshi_there("predict", "first", chalk).out
    drawn, plain = honshi_there("predict", "first", ink, chalk, "--json").json
    assert drawn["probabilities"] == plain["probabilities"]
    assert (drawn["form"], "form" in plain) == ("mnist", False)


def test_ink_on_paper_that_is_taken_as_it_is_is_noticed_and_inverted(
    honshi_there: Callable[..., Any], folder: Path, mnist: library.Splits
) -> None:
    ink = folder / "ink.png"
    Image.fromarray(255 - mnist.val.pixels[0, 0].numpy()).save(ink)
    chalk = folder / "chalk.png"
    Image.fromarray(mnist.val.pixels[0, 0].numpy()).save(chalk)

    assert "--invert" in honshi_there("predict", "first", ink, "--as-is").err
    (inverted,) = honshi_there("predict", "first", ink, "--as-is", "--invert", "--json").json
    (plain,) = honshi_there("predict", "first", chalk, "--json").json
    assert inverted["probabilities"] == plain["probabilities"]


def test_a_folder_with_all_that_folders_hold_becomes_a_whole_submission(
    honshi_there: Callable[..., Any], folder: Path, digits: Path
) -> None:
    place = folder / "mixed"
    place.mkdir()
    picture = sorted(digits.iterdir())[0].read_bytes()
    names = [b"1.png", b"2\xff.png", b"4.png"]
    for name in names:
        Path(os.fsdecode(os.fsencode(place) + b"/" + name)).write_bytes(picture)
    (place / "3.png").write_bytes(picture[:60])
    (place / ".hidden.png").write_bytes(picture)
    (place / "notes.txt").write_text("mine")

    finished = honshi_there("predict", "first", place, "--csv", "mixed.csv")

    assert finished.code == 1
    assert "1 in all" in finished.err
    assert "notes.txt" in finished.err
    rows = [line.split(b",") for line in (folder / "mixed.csv").read_bytes().splitlines()[1:]]
    assert [row[0].rpartition(b"/")[2] for row in rows] == [*names[:2], b"3.png", names[2]]
    assert [bool(row[1]) for row in rows] == [True, True, False, True]


def test_a_missing_image_is_a_wrong_request(honshi_there: Callable[..., Any]) -> None:
    finished = honshi_there("predict", "first", "nowhere.png")

    assert finished.code == 2
    assert "nowhere.png" in finished.err


def test_the_submission_is_written_though_nobody_reads_the_output(
    digits: Path, folder: Path, honshi_there: Callable[..., Any]
) -> None:
    honshi_there("predict", "first", digits, "--csv", "whole.csv")
    command = [sys.executable, "-m", "honshi", "predict", "first", str(digits), "--csv", "unread.csv"]

    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, "HONSHI_HOME": str(folder / "home")}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()

    assert process.returncode == 0
    assert (folder / "unread.csv").read_bytes() == (folder / "whole.csv").read_bytes()


def test_a_submission_has_the_columns_of_the_competition(
    honshi_there: Callable[..., Any], folder: Path, digits: Path
) -> None:
    finished = honshi_there("predict", "first", digits, "--csv", "sub.csv", "--columns", "id,label", "--sort")

    assert finished.code == 0, finished.err
    with (folder / "sub.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["id", "label"]
    assert sorted(name for name, _ in rows[1:]) == sorted(path.stem for path in digits.glob("*.png"))
    refused = honshi_there("predict", "first", digits, "--columns", "id,label")
    assert (refused.code, "give --csv FILE" in refused.err) == (2, True)


def test_a_picture_on_standard_input_is_read(folder: Path, digits: Path) -> None:
    content = next(iter(sorted(digits.glob("*.png")))).read_bytes()
    command = [sys.executable, "-m", "honshi", "predict", "first", "-", "--json"]
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home")}

    done = subprocess.run(command, input=content, cwd=folder, env=environment, capture_output=True, timeout=120)

    assert done.returncode == 0, done.stderr
    [answer] = json.loads(done.stdout)
    assert answer["path"] == "-"
