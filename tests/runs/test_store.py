from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

import honshi
from honshi.data.manifest import Manifest
from honshi.errors import HonshiError, RunNotFoundError
from honshi.models import MLP
from honshi.recipe import Recipe
from honshi.runs import Run, all_runs, find

HEAD = "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds\n"
MakeRun: TypeAlias = Callable[..., Run]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def make_run(folder: Path) -> MakeRun:
    """Make a run by its name; it starts on a day of the year 2030."""

    def make(
        name: str, day: int = 1, *, val_accuracy: float = 0.9, val_sha256: str = "same", finished: bool = True
    ) -> Run:
        run = Run.create(Recipe(), folder / name)
        manifest = Manifest("mnist", 0, 0.1, 9, 1, "train", val_sha256, [0])
        run.write_start(manifest, {"started": f"2030-01-{day:02}T00:00:00+00:00"})
        run.write_history([honshi.Row(1, 1.0, 0.5, 1.0, val_accuracy, lr=0.1, seconds=1.0)])
        if finished:
            run.write_end(MLP(2, (), 2))
        return run

    return make


def test_runs_come_in_the_order_in_which_they_began(folder: Path, make_run: MakeRun) -> None:
    make_run("b", day=2)
    make_run("c", day=1)
    make_run("a", day=3)

    assert [run.name for run in all_runs(folder)] == ["c", "b", "a"]


def test_folders_that_are_no_runs_are_passed_over(folder: Path, make_run: MakeRun) -> None:
    make_run("a")
    (folder / "notes").mkdir()
    (folder / "notes.txt").touch()

    assert [run.name for run in all_runs(folder)] == ["a"]


def test_a_run_whose_environment_is_damaged_is_listed_all_the_same(folder: Path, make_run: MakeRun) -> None:
    make_run("a", day=1)
    (make_run("b", day=2).path / "environment.json").write_text("{")

    assert [run.name for run in all_runs(folder)] == ["b", "a"]


def test_where_there_is_no_folder_there_are_no_runs(folder: Path) -> None:
    assert all_runs(folder) == []


def test_a_run_is_found_by_its_folder_wherever_that_is(folder: Path, tmp_path: Path) -> None:
    elsewhere = Run.create(Recipe(), tmp_path / "elsewhere")

    assert find(str(elsewhere.path), folder).path == elsewhere.path


def test_a_run_is_found_by_its_name(folder: Path, make_run: MakeRun) -> None:
    make_run("20300101-mlp")
    make_run("20300102-cnn")

    assert find("20300102-cnn", folder).name == "20300102-cnn"


def test_a_run_is_found_by_a_prefix_that_no_other_has(folder: Path, make_run: MakeRun) -> None:
    make_run("20300101-mlp")
    make_run("20300102-cnn")

    assert find("20300102", folder).name == "20300102-cnn"


def test_a_whole_name_is_meant_even_where_another_goes_on(folder: Path, make_run: MakeRun) -> None:
    make_run("20300101-mlp")
    make_run("20300101-mlp-2")

    assert find("20300101-mlp", folder).name == "20300101-mlp"


def test_a_prefix_of_several_names_is_an_error_that_lists_them(folder: Path, make_run: MakeRun) -> None:
    make_run("20300101-mlp")
    make_run("20300102-cnn")

    with pytest.raises(RunNotFoundError, match="2 runs begin with '2030': 20300101-mlp, 20300102-cnn"):
        find("2030", folder)


def test_a_name_that_no_run_has_is_an_error_that_says_where_was_looked(folder: Path, make_run: MakeRun) -> None:
    make_run("20300101-mlp")

    with pytest.raises(RunNotFoundError, match=rf"no run 'nothing'.*{folder.resolve()}"):
        find("nothing", folder)


def test_of_a_name_that_no_folder_can_have_there_is_no_run(folder: Path) -> None:
    with pytest.raises(RunNotFoundError, match="There is no run"):
        find("a" * 300, folder)


def test_latest_is_the_run_that_began_last(folder: Path, make_run: MakeRun) -> None:
    make_run("z", day=1)
    make_run("a", day=2)

    assert find("latest", folder).name == "a"


def test_best_is_the_finished_run_of_highest_validation_accuracy(folder: Path, make_run: MakeRun) -> None:
    make_run("a", day=1, val_accuracy=0.91)
    make_run("b", day=2, val_accuracy=0.95)
    make_run("c", day=3, val_accuracy=0.99, finished=False)
    make_run("d", day=4, val_accuracy=0.93)

    assert find("best", folder).name == "b"


def test_best_looks_only_at_runs_with_the_validation_set_of_the_latest(folder: Path, make_run: MakeRun) -> None:
    make_run("easy", day=1, val_accuracy=0.99, val_sha256="other")
    make_run("good", day=2, val_accuracy=0.95)
    make_run("late", day=3, val_accuracy=0.90)

    assert find("best", folder).name == "good"


@pytest.mark.parametrize("name", ["latest", "best"])
def test_without_any_run_there_is_no_latest_and_no_best(folder: Path, name: str) -> None:
    with pytest.raises(RunNotFoundError, match="honshi runs"):
        find(name, folder)


def test_without_a_finished_run_there_is_no_best(folder: Path, make_run: MakeRun) -> None:
    make_run("a", finished=False)

    with pytest.raises(RunNotFoundError):
        find("best", folder)


def test_runs_of_the_working_folder_are_looked_at(
    tmp_path: Path, folder: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run("mine")
    monkeypatch.chdir(tmp_path)

    assert find("mine").path == Path("runs/mine")


def test_the_runs_that_a_search_ended_with_are_runs_too(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run("search/base/seed-1", val_accuracy=0.9)
    make_run("search/trial-7/seed-1", val_accuracy=0.95)
    monkeypatch.chdir(tmp_path)

    assert [run.name for run in all_runs()] == ["search/base/seed-1", "search/trial-7/seed-1"]
    assert find("best").name == "search/trial-7/seed-1"
    assert find("search/base/seed-1").kept.val_accuracy == 0.9


def test_latest_is_a_run_that_was_killed_as_soon_as_it_began(folder: Path, make_run: MakeRun) -> None:
    make_run("a", day=1)
    killed = Run.create(Recipe(), folder / "b")
    begun = {"event": "begun", "time": "2030-01-02T00:00:00+00:00", "host": "x", "boot": "", "pid": 1}
    (killed.path / "events.jsonl").write_text(json.dumps(begun) + "\n")

    assert find("latest", folder).name == "b"


def test_without_anything_else_the_stamp_in_its_name_says_when_a_run_began(folder: Path, make_run: MakeRun) -> None:
    make_run("a", day=2)
    for name in ("20300101-120000-mlp", "20300103-120000-mlp"):
        Run.create(Recipe(), folder / name)

    assert [run.name for run in all_runs(folder)] == ["20300101-120000-mlp", "a", "20300103-120000-mlp"]


DAMAGE: dict[str, Callable[[Run], object]] = {
    "accuracy": lambda run: (run.path / "history.csv").write_text(HEAD + "1,1.0,0.5,1.0,7,0.1,1.0\n"),
    "nan": lambda run: (run.path / "history.csv").write_text(HEAD + "1,1.0,0.5,1.0,nan,0.1,1.0\n"),
    "loss": lambda run: (run.path / "history.csv").write_text(HEAD + "1,1.0,0.5,nan,0.5,0.1,1.0\n"),
    "no rows": lambda run: (run.path / "history.csv").write_text(HEAD),
    "no history": lambda run: (run.path / "history.csv").write_bytes(b""),
    "a row is missing": lambda run: (run.path / "history.csv").write_text(HEAD + "2,1.0,0.5,1.0,0.5,0.1,1.0\n"),
    "split": lambda run: (run.path / "split.json").write_text("{}"),
    "no split": lambda run: (run.path / "split.json").unlink(),
    "sidecar": lambda run: (run.path / "model.json").write_text("{}"),
    "weights": lambda run: (run.path / "model.safetensors").write_bytes(b"x" * 20),
    "recipe": lambda run: (run.path / "recipe.toml").write_text("name = 3"),
    "a folder": lambda run: (run.path / "split.json").rename(run.path / "other.json").with_name("split.json").mkdir(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_is_never_the_best_and_keeps_no_other_from_being_it(
    folder: Path, make_run: MakeRun, damage: str
) -> None:
    make_run("a", day=1, val_accuracy=0.9)
    damaged = make_run("b", day=2, val_accuracy=0.99)
    damaged.check()
    DAMAGE[damage](damaged)

    assert find("best", folder).name == "a"
    assert [run.name for run in all_runs(folder)] == ["a", "b"]
    with pytest.raises(HonshiError):
        Run(damaged.path).check()
