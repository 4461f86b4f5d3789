from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import filelock
import optuna
import pytest
from optuna.trial import TrialState
from tests.drawn import colours

from honshi.errors import HonshiError, RequestError, RunError
from honshi.evaluation.optimism import best_of
from honshi.recipe import Recipe
from honshi.runs import Run, looks
from honshi.tuning import Progress, Search
from honshi.tuning.picture import BEST, COMPLETE


@pytest.fixture
def recipe(idx_folder: Path) -> Recipe:
    """Four epochs on a hundred tiny images."""
    return Recipe.read("lecture").changed({"data.source": f"idx:{idx_folder}", "training.epochs": 4})


def study_in(search: Search) -> optuna.Study:
    return optuna.load_study(study_name=search.place.name, storage=search.place.url)


def test_a_search_leaves_its_files(recipe: Recipe, tmp_path: Path) -> None:
    search = Search.begin(recipe, tmp_path / "search")
    seen: list[Progress] = []

    content = search.run(trials=12, workers=1, seeds=2, on_progress=seen.append)

    folder = tmp_path / "search"
    assert json.loads((folder / "tune.json").read_text()) == json.loads(json.dumps(content))
    assert {COMPLETE, BEST} <= colours(folder / "tune.png")
    with (folder / "trials.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12
    assert [row["state"] for row in rows].count("pruned") == content["trials"]["pruned"] > 0
    assert (
        max(float(row["val_accuracy"]) for row in rows if row["state"] == "complete")
        == (content["best"]["val_accuracy"])
    )
    best = Recipe.read(str(folder / "best.toml"))
    assert recipe.changed(content["best"]["changes"]).changed({"name": "lecture-tuned"}) == best
    for name, trained in (("base", recipe), (f"trial-{content['best']['trial']}", best)):
        runs = [Run(folder / name / f"seed-{seed}") for seed in (1, 2)]
        assert all(run.finished for run in runs)
        assert runs[1].recipe == trained.changed({"training.seed": 2})
    assert [len(progress.finished) for progress in seen][-1] == 12


def test_every_epoch_of_every_trial_is_a_look(recipe: Recipe, tmp_path: Path) -> None:
    search = Search.begin(recipe, tmp_path / "search")

    content = search.run(trials=6, workers=1, seeds=2)

    manifest = search.splits.manifest
    epochs = sum(len(trial.intermediate_values) for trial in study_in(search).trials)
    assert content["looks"] == looks.count(manifest.val_sha256, "trial") == epochs > 6
    assert content["optimism"] == best_of(epochs, manifest.val_size, content["best"]["val_accuracy"])


def test_the_first_trial_is_the_recipe_itself(recipe: Recipe, tmp_path: Path) -> None:
    search = Search.begin(recipe, tmp_path / "search")

    search.run(trials=1, workers=1, seeds=2)

    (trial,) = study_in(search).trials
    assert trial.params["optimizer.lr.sgd"] == 0.1
    assert (trial.params["model.hidden.1"], trial.params["model.hidden.2"]) == (128, 64)


def test_a_search_goes_on_where_it_was(recipe: Recipe, tmp_path: Path) -> None:
    Search.begin(recipe, tmp_path / "search").run(trials=3, workers=1, seeds=2)

    search = Search.begin(recipe, tmp_path / "search")
    search.run(trials=5, workers=1, seeds=2)

    assert [trial.number for trial in study_in(search).trials] == [0, 1, 2, 3, 4]


def test_an_interrupted_trial_is_tried_again(recipe: Recipe, tmp_path: Path) -> None:
    search = Search.begin(recipe, tmp_path / "search")

    def interrupt(progress: Progress) -> None:
        if len(progress.finished) == 2 and any(t.state == "running" and t.epochs for t in progress.trials):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.run(trials=5, workers=1, seeds=2, on_progress=interrupt)
    before = study_in(search).trials
    assert [trial.state for trial in before][:2] != [TrialState.FAIL] * 2
    assert (before[2].state, before[3].state) == (TrialState.FAIL, TrialState.WAITING)
    with (tmp_path / "search" / "trials.csv").open() as stream:
        assert [row["trial"] for row in csv.DictReader(stream)][:2] == ["0", "1"]

    content = search.run(trials=5, workers=1, seeds=2)

    after = study_in(search).trials
    assert after[3].params == before[2].params
    assert content["trials"]["complete"] + content["trials"]["pruned"] == 5
    assert [trial.params for trial in after[:3]] == [trial.params for trial in before[:3]]


def test_a_trial_whose_process_was_killed_is_tried_again(recipe: Recipe, tmp_path: Path) -> None:
    search = Search.begin(recipe, tmp_path / "search")
    search.run(trials=1, workers=1, seeds=2)
    lost = study_in(search).ask()
    lost.suggest_categorical("optimizer.kind", ["sgd", "adam"])

    content = search.run(trials=2, workers=1, seeds=2)

    trials = study_in(search).trials
    assert trials[lost.number].state == TrialState.FAIL
    assert trials[2].params["optimizer.kind"] == lost.params["optimizer.kind"]
    assert content["trials"]["complete"] + content["trials"]["pruned"] == 2


def test_the_time_ends_a_search(recipe: Recipe, tmp_path: Path) -> None:
    content = Search.begin(recipe, tmp_path / "search").run(minutes=0.15, workers=1, seeds=2)

    assert content["trials"]["complete"] >= 1
    assert content["seconds"]["total"] < 60


def test_a_trial_that_diverges_is_a_bad_one_and_no_failure(recipe: Recipe, tmp_path: Path) -> None:
    wild = recipe.changed({"tune": {"space": {"optimizer.lr": {"choices": [0.1, 1e30]}}}})
    search = Search.begin(wild, tmp_path / "search")
    study = optuna.create_study(study_name=search.place.name, storage=search.place.url, direction="maximize")
    for rate in (0.1, 1e30):
        study.enqueue_trial({"optimizer.lr": rate})

    content = search.run(trials=2, workers=1, seeds=2)

    diverged = study_in(search).trials[1]
    assert diverged.state == TrialState.PRUNED
    assert "learning rate" in diverged.user_attrs["problem"]
    assert content["best"]["trial"] == 0


def test_where_every_trial_fails_the_reason_is_said(recipe: Recipe, tmp_path: Path) -> None:
    wild = recipe.changed({"optimizer.lr": 1e30, "tune": {"space": {"training.batch_size": {"choices": [8, 16]}}}})

    with pytest.raises(HonshiError, match=r"no trial was completed.*learning rate"):
        Search.begin(wild, tmp_path / "search").run(trials=2, workers=1, seeds=2)


def test_two_do_not_work_in_one_folder(recipe: Recipe, tmp_path: Path) -> None:
    search = Search.begin(recipe, tmp_path / "search")

    with filelock.FileLock(tmp_path / "search" / ".lock"), pytest.raises(RunError, match="another honshi tune"):
        search.run(trials=1, workers=1, seeds=2)


@pytest.mark.parametrize(
    ("changes", "storage", "told"),
    [
        ({"training.epochs": 3}, None, "another one"),
        ({}, "sqlite:///elsewhere.db", "leave --storage out"),
    ],
)
def test_a_folder_holds_one_search(
    recipe: Recipe, tmp_path: Path, changes: dict[str, Any], storage: str | None, told: str
) -> None:
    Search.begin(recipe, tmp_path / "search").run(trials=1, workers=1, seeds=2)

    with pytest.raises(RequestError, match=told):
        Search.begin(recipe.changed(changes), tmp_path / "search", storage)


def test_under_torchrun_it_is_refused(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "1")

    with pytest.raises(RequestError, match="--workers"):
        Search.begin(recipe, tmp_path / "search")


def test_a_storage_that_is_none_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="postgresql://"):
        Search.begin(recipe, tmp_path / "search", "nonsense")
    assert not (tmp_path / "search").exists()


def test_a_database_that_does_not_answer_is_said_without_its_password(recipe: Recipe, tmp_path: Path) -> None:
    search = Search.begin(recipe, tmp_path / "search", "postgresql://me:secret@127.0.0.1:9/tuning")

    with pytest.raises(HonshiError, match=r"postgresql.*127\.0\.0\.1") as raised:
        search.run(trials=1, workers=1)
    assert "secret" not in str(raised.value)
