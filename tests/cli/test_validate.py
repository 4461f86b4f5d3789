from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def test_the_mock_exam_agrees_with_the_history(honshi_there: Callable[..., Any], folder: Path) -> None:
    score = honshi_there("validate", "first", "--json").json

    (best,) = [run for run in honshi_there("runs", "--json").json if run["run"].endswith("first")]
    assert score["split"] == "validation"
    assert score["n"] == 6000
    assert score["accuracy"] == pytest.approx(best["kept"]["val_accuracy"])
    assert score["loss"] == pytest.approx(best["kept"]["val_loss"], rel=1e-5)
    assert score["interval"][0] < score["accuracy"] < score["interval"][1]
    assert sum(one["n"] for one in score["per_class"].values()) == 6000


def test_each_look_is_counted(honshi_there: Callable[..., Any]) -> None:
    before = honshi_there("validate", "first", "--json").json["looks"]
    after = honshi_there("validate", "first", "--json").json["looks"]

    assert after == before + 1


@pytest.mark.parametrize("name", ["confusion.png", "mistakes.png", "reliability.png"])
def test_the_pictures_are_drawn(honshi_there: Callable[..., Any], folder: Path, name: str) -> None:
    honshi_there("validate", "first")

    with Image.open(folder / "runs" / "first" / name) as picture:
        assert picture.format == "PNG"


def test_an_unfinished_run_is_told_how_to_go_on(honshi_there: Callable[..., Any], folder: Path) -> None:
    unfinished = folder / "runs" / "unfinished"
    unfinished.mkdir(exist_ok=True)
    (unfinished / "recipe.toml").write_text((folder / "runs" / "first" / "recipe.toml").read_text())

    finished = honshi_there("validate", "unfinished")

    assert finished.code == 1
    assert "--resume" in finished.err
