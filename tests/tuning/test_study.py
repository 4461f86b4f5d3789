from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from honshi.recipe import Recipe
from honshi.tuning.space import with_space
from honshi.tuning.study import Trial, best_of_trials, database_url, importances, shown, study_name, trials_of


@pytest.fixture
def study() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))


def finish(study: optuna.Study, accuracies: list[float], state: TrialState) -> optuna.Trial:
    trial = study.ask()
    for epoch, accuracy in enumerate(accuracies, start=1):
        trial.report(accuracy, epoch)
    study.tell(trial, accuracies[-1] if state == TrialState.COMPLETE else None, state)
    return trial


def test_a_trial_is_known_by_what_it_reported(study: optuna.Study) -> None:
    finish(study, [0.5, 0.75], TrialState.COMPLETE)
    finish(study, [0.25], TrialState.PRUNED)
    study.enqueue_trial({})

    complete, pruned, waiting = trials_of(study)

    assert (complete.state, complete.accuracy, complete.epochs, complete.finished) == ("complete", 0.75, 2, True)
    assert (pruned.state, pruned.accuracy, pruned.epochs, pruned.finished) == ("pruned", 0.25, 1, True)
    assert (waiting.state, waiting.accuracy, waiting.epochs, waiting.finished) == ("waiting", None, 0, False)


def test_the_best_is_complete_and_the_first_of_equals(study: optuna.Study) -> None:
    finish(study, [0.9], TrialState.PRUNED)
    assert best_of_trials(trials_of(study)) is None
    for accuracy in (0.5, 0.75, 0.75):
        finish(study, [accuracy], TrialState.COMPLETE)

    best = best_of_trials(trials_of(study))

    assert best is not None
    assert best.number == 2


def test_what_decides_is_important_and_what_does_not_is_not(study: optuna.Study) -> None:
    for _ in range(60):
        trial = study.ask()
        decisive = trial.suggest_float("decisive", 0.0, 1.0)
        trial.suggest_float("idle", 0.0, 1.0)
        trial.report(decisive, 1)
        # Half of them are stopped, and count by how far they got.
        study.tell(trial, decisive if decisive > 0.5 else None, _state(decisive))

    found = importances(trials_of(study), study)

    assert list(found) == ["decisive", "idle"]
    assert sum(found.values()) == pytest.approx(1)
    assert found["decisive"] > 0.7


def _state(decisive: float) -> TrialState:
    return TrialState.COMPLETE if decisive > 0.5 else TrialState.PRUNED


def test_few_trials_tell_nothing_of_importance(study: optuna.Study) -> None:
    for _ in range(9):
        finish(study, [0.5], TrialState.COMPLETE)

    assert importances(trials_of(study), study) == {}


def test_a_study_is_shared_by_the_same_search_wherever_its_data_lie() -> None:
    here = with_space(Recipe())

    assert study_name(here, "a") == study_name(
        here.changed({"data.source": "idx:elsewhere", "training.device": "cpu"}), "a"
    )
    assert study_name(here, "a") != study_name(here, "b")
    assert study_name(here, "a") != study_name(here.changed({"training.epochs": 3}), "a")


def test_a_password_is_kept_and_not_shown() -> None:
    url = database_url("postgresql://me:secret@server/tuning")

    assert url == "postgresql+psycopg://me:secret@server/tuning"
    assert "secret" not in shown(url)


@pytest.mark.parametrize("trials", [[], [Trial(0, "waiting", None, 0, 0.0, {}, None, None)]])
def test_without_a_score_there_is_no_best(trials: list[Any]) -> None:
    assert best_of_trials(trials) is None
