from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import honshi.actions.improve as improvement
from honshi.actions.improve import Trial, improve
from honshi.errors import RequestError
from honshi.evaluation.remedies import Remedy
from honshi.experiment import Experiment
from honshi.messages import Message
from honshi.recipe import Recipe
from honshi.runs import Run, looks

# The rate is too low for so few epochs: there is much to gain.
SLOW = Recipe.read("lecture").changed({"data.subset": 500, "training.epochs": 4, "optimizer.lr": 0.02})


def started(recipe: Recipe, path: Path) -> Run:
    """A run as an interrupted training leaves it: the recipe and the split."""
    run = Run.create(recipe, path)
    run.write_start(Experiment.build(recipe).splits.manifest, {})
    return run


def only(monkeypatch: pytest.MonkeyPatch, *remedies: Remedy) -> None:
    """Let these be all the remedies that there are, for recipes that they would change."""

    def offered(verdict: str, recipe: Recipe, available: int) -> list[Remedy]:
        return [remedy for remedy in remedies if recipe.changed(remedy.changes) != recipe]

    monkeypatch.setattr(improvement, "all_remedies", offered)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return started(SLOW, tmp_path / "run")


def test_a_remedy_that_helps_by_more_than_chance_is_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    only(
        monkeypatch,
        Remedy(Message("longer"), Message(""), {"training.epochs": 16}),
        Remedy(Message("decay"), Message(""), {"optimizer.weight_decay": 0.9}),
    )

    result = improve(run, 60)

    longer, decay = result.trials
    assert (longer.outcome, longer.seeds, decay.outcome) == ("kept", 5, "not better")
    assert longer.comparison is not None
    assert longer.comparison.p_value < improvement.THRESHOLD
    assert result.improved.accuracy > result.baseline.accuracy + 0.03
    assert (result.improved, result.ended, list(map(str, result.kept))) == (longer.after, "done", ["longer"])


def test_the_improved_recipe_is_one_that_can_be_trained(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, Remedy(Message("longer"), Message(""), {"training.epochs": 16}))

    result = improve(run, 60)

    improved = Recipe.read(str(run.path / "improved.toml"))
    assert improved == SLOW.changed({"training.epochs": 16, "name": "lecture-improved"})
    first = Experiment.build(improved)
    first.fit()
    told = json.loads((run.path / "improvement.json").read_text())
    assert told["kept"] == ["longer"]
    assert told["trials"][0]["after"]["accuracy"] == result.improved.accuracy
    assert told["improved"]["accuracy"] == result.improved.accuracy


def test_a_later_remedy_is_compared_with_those_that_were_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    only(
        monkeypatch,
        Remedy(Message("longer"), Message(""), {"training.epochs": 16}),
        Remedy(Message("a name"), Message(""), {"name": "other"}),
    )

    longer, name = improve(run, 60).trials

    assert longer.outcome == "kept"
    assert name.after is not None
    assert name.before == name.after
    assert name.before.accuracy > longer.before.accuracy + 0.03


def test_a_remedy_that_changes_nothing_is_not_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, Remedy(Message("a name"), Message(""), {"name": "other"}))

    result = improve(run, 60)

    assert result.trials[0].outcome == "not better"
    assert result.improved == result.baseline
    assert not (run.path / "improved.toml").exists()


def test_every_look_is_counted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, Remedy(Message("a name"), Message(""), {"name": "other"}))

    result = improve(run, 60, seeds=3)

    # Three seeds as it was and one with the remedy: four epochs each, and a score.
    assert result.looks == 4 * (4 + 1)
    assert looks.count(run.manifest.val_sha256) == result.looks
    assert looks.count(run.manifest.val_sha256, "trial") == 4


def test_the_test_set_stays_sealed(run: Run, honshi_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, Remedy(Message("a name"), Message(""), {"name": "other"}))

    improve(run, 60, seeds=3)

    assert [path.name for path in honshi_home.iterdir() if "ledger" in path.name] == []


def test_a_trial_that_would_not_be_done_in_time_is_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    only(
        monkeypatch,
        Remedy(Message("forever"), Message(""), {"training.epochs": 100_000}),
        Remedy(Message("a name"), Message(""), {"name": "other"}),
    )
    begun = time.monotonic()

    forever, name = (result := improve(run, 30, seeds=3)).trials

    assert (forever.outcome, forever.seeds, forever.after) == ("no time", 0, None)
    assert name.outcome == "not better"
    assert result.ended == "no time"
    assert time.monotonic() - begun < 30


def test_a_budget_that_the_runs_own_recipe_does_not_fit_in_is_refused(run: Run) -> None:
    with pytest.raises(RequestError, match="not enough to train the run's own recipe from 5 seeds"):
        improve(run, 0.01)

    assert not (run.path / "improvement.json").exists()


def test_two_seeds_cannot_tell_a_gain_from_luck(run: Run) -> None:
    with pytest.raises(RequestError, match="at least 3"):
        improve(run, 60, seeds=2)


def test_ctrl_c_keeps_what_was_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    only(
        monkeypatch,
        Remedy(Message("longer"), Message(""), {"training.epochs": 16}),
        Remedy(Message("decay"), Message(""), {"optimizer.weight_decay": 0.9}),
    )

    def interrupt(trial: Trial) -> None:
        raise KeyboardInterrupt

    result = improve(run, 60, on_trial=interrupt)

    assert (result.ended, list(map(str, result.kept))) == ("interrupted", ["longer"])
    assert Recipe.read(str(run.path / "improved.toml")).training.epochs == 16


def test_a_remedy_that_does_not_fit_the_data_is_said_to_be_impossible(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(
        monkeypatch, Remedy(Message("one at a time"), Message(""), {"training.batch_size": 1, "model.batch_norm": True})
    )

    (trial,) = improve(run, 60, seeds=3).trials

    assert trial.outcome == "not possible"
    assert "a single image" in (trial.problem or "")


def test_a_training_that_diverges_is_improved_by_a_lower_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = started(SLOW.changed({"optimizer.lr": 1e20}), tmp_path / "run")
    only(
        monkeypatch,
        Remedy(Message("lower rate"), Message(""), {"optimizer.lr": 0.1}),
        Remedy(Message("worse"), Message(""), {"optimizer.lr": 1e20}),
    )

    result = improve(run, 60)

    assert (result.baseline.verdict, result.baseline.diverged, result.baseline.gap) == ("diverged", 5, None)
    assert list(map(str, result.kept)) == ["lower rate"]
    assert result.trials[1].outcome == "not better"
    assert result.trials[1].after is not None
    assert result.trials[1].after.diverged == 1
