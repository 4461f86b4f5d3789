from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.drawn import pixels

from honshi.experiment import diagnose_run
from honshi.reports.curves import draw_diagnosis
from honshi.runs import Run


def test_a_finished_run_gets_a_verdict_its_evidence_a_picture_and_commands(
    honshi_there: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    finished = honshi_there("diagnose", "first", "--json")

    assert finished.code == 0
    told = finished.json
    assert told["verdict"] == "still-learning"
    assert told["evidence"]["in_eval_mode"]
    assert told["evidence"]["val_size"] == 6000
    run = Run(folder / "runs" / "first")
    draw_diagnosis(run.history, diagnose_run(run), tmp_path / "again.png")
    assert np.array_equal(pixels(folder / told["picture"]), pixels(tmp_path / "again.png"))
    assert told["remedies"][0]["command"] == "honshi train runs/first/recipe.toml --set training.epochs=6"
    assert told["sentence"] in finished.err
    assert "honshi compare runs/first latest" in finished.err


def test_the_validation_images_are_not_looked_at(honshi_there: Callable[..., Any], folder: Path) -> None:
    (looks,) = (folder / "home" / "looks").iterdir()
    before = looks.read_bytes()

    honshi_there("diagnose", "first")

    assert looks.read_bytes() == before


def test_a_run_that_diverged_in_its_first_epoch_is_diagnosed(honshi: Callable[..., Any]) -> None:
    assert honshi("train", "--subset", "500", "--lr", "1e20", "--out", "runs/wild").code == 1

    told = honshi("diagnose", "wild", "--json").json

    assert (told["verdict"], told["epoch"], told["evidence"], told["picture"]) == ("diverged", 1, None, None)
    assert told["remedies"][0]["name"] == "much lower learning rate"


def test_a_run_without_an_epoch_has_nothing_to_diagnose(honshi: Callable[..., Any], tmp_path: Path) -> None:
    honshi("train", "--subset", "500", "--epochs", "1", "--out", "runs/new")
    for name in ("history.csv", "model.json"):
        (tmp_path / "runs" / "new" / name).unlink()

    finished = honshi("diagnose", "new")

    assert finished.code == 1
    assert "nothing to diagnose yet" in finished.err


def test_an_interrupted_run_is_diagnosed_from_its_history(honshi: Callable[..., Any], tmp_path: Path) -> None:
    honshi("train", "--subset", "500", "--epochs", "2", "--out", "runs/cut")
    (tmp_path / "runs" / "cut" / "model.json").unlink()

    told = honshi("diagnose", "cut", "--json").json

    assert not told["evidence"]["in_eval_mode"]
    assert told["evidence"]["epochs"] == 2
