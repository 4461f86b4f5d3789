from __future__ import annotations

import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

import honshi
from honshi.recipe import Recipe
from honshi.tuning.space import with_space
from honshi.tuning.study import Place, file_url, open_study
from honshi.tuning.worker import Worker


@pytest.fixture
def recipe(idx_folder: Path) -> Recipe:
    changes = {"data.source": f"idx:{idx_folder}", "training.epochs": 2}
    return with_space(Recipe.read("lecture").changed(changes))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(url=file_url(tmp_path / "study.db"), name="test", heartbeat=1)


def test_a_trial_whose_worker_died_before_any_sign_of_life_is_not_waited_for_for_ever(
    recipe: Recipe, place: Place
) -> None:
    splits = honshi.load(recipe.data.source)
    until = time.monotonic() + 60
    with open_study(place, 0) as study:
        with pytest.warns(UserWarning, match="Heartbeat"):
            lost = study.ask()
        Worker(study, recipe, splits, "test", trials=2, stopped=lambda: time.monotonic() > until).work()
        trials = study.get_trials()

    assert trials[lost.number].state == TrialState.FAIL
    assert sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials) == 2


def test_a_stopped_worker_gives_its_trial_back(recipe: Recipe, place: Place) -> None:
    splits = honshi.load(recipe.data.source)
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2  # once before the trial, and once in it

    with open_study(place, 0) as study:
        Worker(study, recipe, splits, "test", trials=None, stopped=stopped).work()
        left, waiting = study.get_trials()

    assert (left.state, waiting.state) == (TrialState.FAIL, TrialState.WAITING)
    assert waiting.system_attrs["fixed_params"] == left.params
