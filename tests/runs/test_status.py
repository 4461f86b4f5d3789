"""How a run stands, told from its files by someone who does not train it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import honshi
from honshi.errors import NonFiniteLossError
from honshi.runs import Run, events, lock
from honshi.runs.process import Process
from honshi.runs.session import Session
from honshi.runs.status import SILENCE, Status

ROW = honshi.Row(1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0)

# Trains, as far as files tell, until it is killed.
TRAINER = """
import sys, time
from pathlib import Path
from honshi.runs.session import Session

with Session(Path(sys.argv[1])) as session:
    session.begin(device="cpu", processes=1, epoch=3, epochs=10, steps=100)
    session.at(7)
    print("begun", flush=True)
    time.sleep(100)
"""


def begin(session: Session, epoch: int = 1) -> None:
    session.begin(device="cpu", processes=1, epoch=epoch, epochs=10, steps=100)


@pytest.fixture
def trainer(run: Run) -> Iterator[subprocess.Popen[str]]:
    """A process that trains the run."""
    with subprocess.Popen([sys.executable, "-c", TRAINER, run.path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process
        process.kill()


def write(run: Run, begun: Mapping[str, Any], age: timedelta = timedelta(0), **values: Any) -> None:
    """Put the events of a training into a run's folder as another process wrote them."""
    this = {**Process.this().to_dict(), "locked": True, "epoch": 1, "steps": 100, **begun}
    time = (datetime.now(UTC) - age).isoformat()
    heartbeat = {"event": "heartbeat", "time": time, "epoch": 2, "step": 30, **values}
    lines = [{"event": "begun", "time": time, **this}, heartbeat]
    (run.path / events.FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))


# While it is trained, and after


def test_a_training_is_running_until_it_is_killed(run: Run, trainer: subprocess.Popen[str]) -> None:
    running = run.status
    trainer.kill()
    trainer.wait()
    killed = run.status

    assert (running.state, killed.state) == ("running", "killed")
    assert running.process is not None
    assert running.process.pid == trainer.pid
    assert running.process.host == platform.node()
    assert (running.epoch, running.steps) == (3, 100)


def test_one_that_is_suspended_is_running(run: Run, trainer: subprocess.Popen[str]) -> None:
    trainer.send_signal(19)
    path = run.path / events.FILE
    path.write_text(path.read_text().replace(f"{datetime.now(UTC):%Y-%m-%d}", "2020-01-01"))

    assert run.status.state == "running"


@pytest.mark.parametrize(
    ("error", "state", "problem"),
    [
        (None, "interrupted", None),  # it has no model: whoever trained it has thought otherwise
        (KeyboardInterrupt(), "interrupted", None),
        (SystemExit(3), "interrupted", None),
        (NonFiniteLossError("loss became nan", 1, 2, 0.1), "diverged", "loss became nan"),
        (OSError(28, "No space left on device"), "failed", "No space left"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_end_says_how_it_was(run: Run, error: BaseException | None, state: str, problem: str | None) -> None:
    try:
        with Session(run.path) as session:
            begin(session)
            if error is not None:
                raise error
    except BaseException as raised:
        assert raised is error  # noqa: PT017

    assert run.status.state == state
    assert (problem or "") in (run.status.problem or "")


def test_a_run_with_its_model_is_finished_whatever_was_heard_last(run: Run) -> None:
    write(run, {}, timedelta(days=1))
    run.write_end(honshi.models.MLP(2, (), 2))

    assert run.status.state == "finished"


def test_the_epoch_and_step_are_those_that_were_heard_of_last(run: Run) -> None:
    with Session(run.path) as session:
        begin(session)
        session.note(ROW)
        status = run.status

    assert (status.epoch, status.step, status.steps) == (1, 100, 100)
    write(run, {})
    assert (run.status.epoch, run.status.step) == (2, 30)


# Other machines, and other times


@pytest.mark.parametrize(("age", "state"), [(timedelta(seconds=5), "running"), (2 * SILENCE, "killed")])
def test_on_another_machine_a_training_is_running_while_it_is_heard_of(run: Run, age: timedelta, state: str) -> None:
    write(run, {"host": "elsewhere", "boot": "another"}, age)

    assert run.status.state == state


def test_after_a_restart_of_the_machine_nothing_runs_though_there_is_such_a_process(run: Run) -> None:
    write(run, {"boot": "the one before"})

    assert run.status.state == "killed"


def test_a_later_process_of_the_same_number_is_another(run: Run) -> None:
    write(run, {"process_started": "1", "locked": False})

    assert run.status.state == "killed"


@pytest.mark.skipif(not Process.this().started, reason="the system does not say when a process began")
def test_without_locks_a_training_is_running_while_its_process_lives(run: Run) -> None:
    write(run, {"locked": False}, 2 * SILENCE)

    assert run.status.state == "running"


@pytest.mark.parametrize("damage", [{"pid": "x"}, {"boot": None}, {"steps": "many", "epoch": []}, {"host": {}}])
def test_damaged_events_are_no_error(run: Run, damage: dict[str, Any]) -> None:
    write(run, damage, 2 * SILENCE)

    assert run.status.state == "killed"


# Runs of older versions have no events


def test_without_events_its_other_files_tell(run: Run) -> None:
    (run.path / events.FILE).unlink()
    interrupted = run.status
    (run.path / "diverged.json").write_text("{}")
    diverged = run.status
    (run.path / "model.json").write_text("{}")

    assert (interrupted, diverged, run.status) == (Status("interrupted"), Status("diverged"), Status("finished"))


# The lock


def test_whoever_looks_keeps_nobody_from_training(run: Run) -> None:
    path = run.path / events.FILE
    assert lock.held(path) is False
    with Session(run.path):
        assert lock.held(path) is True
    assert lock.held(path) is False
    assert lock.held(run.path / "nothing") is False


def test_where_there_are_no_locks_the_training_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, *, shared: bool) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(lock, "_lock", unsupported)
    with Session(run.path) as session:
        begin(session)
        running = run.status
        with pytest.raises(honshi.errors.RunError, match="is being trained already"):
            Session(run.path)

    assert json.loads((run.path / events.FILE).read_text().splitlines()[0])["locked"] is False
    assert (running.state, run.status.state) == ("running", "interrupted")
