from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.drawn import pixels

from honshi.evaluation.calibration import reliability
from honshi.evaluation.evaluate import infer, score
from honshi.experiment import splits_of
from honshi.models.card import needed_card
from honshi.reports.confusion import draw_confusion
from honshi.reports.mistakes import draw_mistakes
from honshi.reports.reliability import draw_reliability
from honshi.runs import Run


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


def test_the_pictures_show_this_run_on_its_validation_images(
    honshi_there: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    honshi_there("validate", "first")

    run = Run(folder / "runs" / "first")
    model, val = run.model(), splits_of(run).val
    logits, labels = infer(model, val)
    temperature = needed_card(model).temperature
    before, after = reliability(logits, labels), reliability(logits, labels, temperature)
    draw_confusion(score(logits, labels, val.classes).confusion, val.classes, tmp_path / "confusion.png")
    draw_mistakes(val, (logits / temperature).softmax(1), tmp_path / "mistakes.png")
    draw_reliability(before, after, temperature, tmp_path / "reliability.png")
    for name in ("confusion.png", "mistakes.png", "reliability.png"):
        assert np.array_equal(pixels(run.path / name), pixels(tmp_path / name)), name


def test_an_unfinished_run_is_told_how_to_go_on(honshi_there: Callable[..., Any], folder: Path) -> None:
    unfinished = folder / "runs" / "unfinished"
    unfinished.mkdir(exist_ok=True)
    (unfinished / "recipe.toml").write_text((folder / "runs" / "first" / "recipe.toml").read_text())

    finished = honshi_there("validate", "unfinished")

    assert finished.code == 1
    assert "--resume" in finished.err
