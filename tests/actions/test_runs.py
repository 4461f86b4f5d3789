from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import honshi
from honshi.actions.runs import DamagedRun, ListedRun, list_runs
from honshi.data.manifest import Manifest
from honshi.evaluation.intervals import wilson
from honshi.recipe import Recipe
from honshi.runs import Run, looks
from honshi.runs.session import Session

ROW = honshi.Row(1, 1.0, 0.5, 1.0, 0.75, lr=0.1, seconds=1.0)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that is finished after one epoch, right on 300 of 400 images."""
    run = Run.create(Recipe(), tmp_path / "runs" / "20300101-mlp")
    manifest = Manifest("mnist", 0, 0.1, 9, 400, "train", "val", [0])
    run.write_start(manifest, {"started": "2030-01-01T00:00:00+00:00"})
    run.write_history([ROW])
    run.write_end(honshi.models.MLP(2, (), 2))
    looks.note("val", "epoch", run.name)
    return run


def test_a_run_is_listed_with_its_score_and_state(run: Run) -> None:
    (listed,) = list_runs(run.path.parent).to_list()

    assert (listed["state"], listed["finished"], listed["epochs"]) == ("finished", True, 1)
    assert listed["kept"] == ROW.to_dict()
    assert listed["interval"] == wilson(300, 400)
    assert (listed["n"], listed["looks"]) == (400, 1)


def test_a_run_that_is_trained_says_by_whom_and_how_far_it_is(run: Run) -> None:
    other = Run.create(Recipe(), run.path.parent / "20300102-mlp")
    with Session(other.path) as session:
        session.begin(device="cpu", processes=1, epoch=1, epochs=10, steps=100)
        found = list_runs(run.path.parent)

    listed = {Path(row["run"]).name: row for row in found.to_list()}["20300102-mlp"]
    assert listed["state"] == "running"
    assert listed["training"]["steps"] == 100
    assert "20300102-mlp is being trained by process" in "".join(map(str, found.sentences))


def test_a_failed_run_says_what_ended_it(run: Run) -> None:
    other = Run.create(Recipe(), run.path.parent / "20300102-mlp")

    def train() -> None:
        with Session(other.path) as session:
            session.begin(device="cpu", processes=1, epoch=1, epochs=10, steps=100)
            session.at(1 // 0)

    with pytest.raises(ZeroDivisionError):
        train()

    assert "20300102-mlp failed: integer division or modulo by zero" in map(str, list_runs(run.path.parent).sentences)


@pytest.mark.parametrize("name", ["history.csv", "split.json", "model.json", "recipe.toml"])
def test_a_damaged_run_is_listed_with_the_reason_and_hides_no_other(run: Run, name: str) -> None:
    damaged = run.path.parent / "damaged"
    damaged.mkdir()
    for path in run.path.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / name).write_bytes(b"\xff")

    found = list_runs(run.path.parent)

    assert {type(one) for one in found.runs} == {ListedRun, DamagedRun}
    assert any(name in str(sentence) for sentence in found.sentences if "damaged is damaged" in str(sentence))
    assert [row["state"] for row in found.to_list() if row["run"] == str(damaged)] == ["damaged"]


def test_damaged_events_do_not_make_a_run_damaged(run: Run) -> None:
    (run.path / "events.jsonl").write_bytes(b"\xff{[\0")

    (listed,) = list_runs(run.path.parent).runs
    assert isinstance(listed, ListedRun)
    assert listed.status.state == "finished"


def test_where_there_are_none_it_says_how_to_begin(tmp_path: Path) -> None:
    (sentence,) = list_runs(tmp_path).sentences
    assert "honshi train" in str(sentence)


def test_runs_are_listed_without_loading_torch(run: Run) -> None:
    code = (
        "import sys; from honshi.actions.runs import list_runs; from pathlib import Path;"
        "found = list_runs(Path(sys.argv[1])); assert len(found.runs) == 1, found; found.to_list(); found.sentences;"
        "print(sorted({'torch', 'matplotlib', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, run.path.parent], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
