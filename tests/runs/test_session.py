"""Who trains in a run's folder is alone there, and ends when asked to."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import honshi
from honshi.errors import RequestError, RunError, WriteError
from honshi.recipe import Recipe
from honshi.runs import Run, events, session
from honshi.runs.process import Process
from honshi.runs.session import Session

ROW = honshi.Row(1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than a training of hours needs it."""
    monkeypatch.setattr(session, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(session, "HEARTBEAT_SECONDS", 0.02)


def begin(session: Session) -> None:
    session.begin(device="cpu", processes=1, epoch=1, epochs=10, steps=100)


def kinds(run: Run) -> list[str]:
    return [json.loads(line)["event"] for line in (run.path / events.FILE).read_text().splitlines()]


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_tells_from_the_beginning_to_the_end(run: Run) -> None:
    with Session(run.path) as stay:
        begin(stay)
        stay.at(42)
        wait(lambda: '"step": 42' in (run.path / events.FILE).read_text())
        stay.note(ROW)

    told = kinds(run)
    assert (told[0], told[-1]) == ("begun", "ended")
    assert set(told) == {"begun", "heartbeat", "epoch", "ended"}
    assert told.count("epoch") == 1


def test_nothing_is_told_after_the_end(run: Run) -> None:
    with Session(run.path) as stay:
        begin(stay)
    time.sleep(0.1)

    assert kinds(run)[-1] == "ended"


def test_a_second_training_is_refused_and_told_who_trains(run: Run) -> None:
    with Session(run.path) as stay:
        begin(stay)
        with pytest.raises(RunError, match=rf"trained already, by process {Process.this().pid} on .*, since 20"):
            Session(run.path)
        assert run.status.state == "running"


def test_a_training_on_another_machine_is_not_joined(run: Run) -> None:
    begun = {"event": "begun", "time": datetime.now(UTC).isoformat(), "host": "far", "boot": "x", "pid": 1}
    (run.path / events.FILE).write_text(json.dumps({**begun, "process_started": "1", "locked": True}) + "\n")

    with pytest.raises(RunError, match="by process 1 on far"):
        Session(run.path)


def test_when_it_is_over_another_one_may_go_on(run: Run) -> None:
    for _ in range(2):
        with Session(run.path) as stay:
            begin(stay)

    assert kinds(run) == ["begun", "ended", "begun", "ended"]


def test_a_folder_that_is_trained_in_is_not_made_another_run(run: Run) -> None:
    with Session(run.path) as stay:
        begin(stay)
        with pytest.raises(RequestError, match="trained in this folder already, by process"):
            Run.create(Recipe(), run.path)


def test_of_two_that_found_the_folder_empty_one_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honshi.runs.folder, "new_folder", lambda name, path: path)
    (tmp_path / "run").mkdir()
    Run.create(Recipe(name="first"), tmp_path / "run")

    with pytest.raises(RequestError, match="something in this folder"):
        Run.create(Recipe(name="second"), tmp_path / "run")

    assert Run(tmp_path / "run").recipe.name == "first"


def test_a_file_called_stop_asks_it_to_end(run: Run) -> None:
    def train() -> None:
        with Session(run.path) as stay:
            begin(stay)
            (run.path / "stop").touch()
            wait(lambda: stay.stop_asked)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()

    assert run.status.state == "interrupted"
    assert not (run.path / "stop").exists()


def test_a_file_called_stop_that_was_there_before_asks_nothing(run: Run) -> None:
    (run.path / "stop").touch()

    with Session(run.path) as stay:
        begin(stay)
        time.sleep(0.05)
        assert not stay.stop_asked


def test_what_a_killed_training_left_half_written_is_removed(run: Run) -> None:
    (run.path / ".state.pt.0a1b2c3d.part").touch()

    with Session(run.path) as stay:
        begin(stay)

    assert not list(run.path.glob(".*.part"))


def test_events_go_on_behind_half_a_line(run: Run) -> None:
    (run.path / events.FILE).write_text('{"event": "begun", "ti')

    with Session(run.path) as stay:
        begin(stay)

    assert [event.kind for event in events.since_begun(run.path)] == ["begun", "ended"]


@pytest.mark.parametrize("how", ["deleted", "renamed", "replaced", "replaced by a file"])
def test_a_folder_that_is_gone_ends_the_training(run: Run, how: str) -> None:
    def train() -> None:
        with Session(run.path) as stay:
            begin(stay)
            if how == "deleted":
                shutil.rmtree(run.path)
            else:
                run.path.rename(run.path.with_name("other"))
            if how == "replaced":
                Run.create(Recipe(), run.path)
            if how == "replaced by a file":
                run.path.touch()
            wait(lambda: stay.lost)
            stay.at(3)

    with pytest.raises(RunError, match="was deleted or renamed while it was trained"):
        train()

    if how == "renamed":
        assert Run(run.path.with_name("other")).status.state == "failed"


def test_nothing_is_written_into_a_folder_that_is_gone(run: Run) -> None:
    shutil.rmtree(run.path)

    with pytest.raises(WriteError):
        run.write_history([ROW])

    assert not run.path.exists()


def test_one_that_is_refused_before_it_begins_tells_nothing(run: Run) -> None:
    with Session(run.path) as stay:
        begin(stay)

    with pytest.raises(ZeroDivisionError), Session(run.path):
        _ = 1 // 0

    assert kinds(run) == ["begun", "ended"]
    assert run.status.state == "interrupted"
