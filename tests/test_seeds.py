from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from honshi.recipe import Recipe
from honshi.runs import Run
from honshi.seeds import Spread, train_seeds


def test_the_spread_is_that_of_a_sample() -> None:
    spread = Spread.of([1.0, 2.0, 6.0])

    assert (spread.mean, spread.lowest, spread.highest) == (3.0, 1.0, 6.0)
    assert spread.deviation == pytest.approx(statistics.stdev([1, 2, 6]))


def test_every_seed_is_a_run_on_the_same_validation_set(tmp_path: Path) -> None:
    recipe = Recipe.read("lecture").changed({"data.subset": 500, "training.epochs": 2, "training.seed": 3})

    content = train_seeds(recipe, 2, tmp_path / "many")

    runs = [Run(tmp_path / "many" / name) for name in ("seed-3", "seed-4")]
    assert runs[0].manifest == runs[1].manifest
    assert [run.name for run in runs] == ["many/seed-3", "many/seed-4"]
    assert runs[0].history[0].train_loss != runs[1].history[0].train_loss
    assert json.loads((tmp_path / "many" / "seeds.json").read_text()) == content
    assert (tmp_path / "many" / "curves.png").exists()
