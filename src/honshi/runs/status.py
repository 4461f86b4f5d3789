"""How a run stands: it is trained right now, or how that ended. Told from its files alone, by anyone who looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from honshi.messages import Message
from honshi.runs import events, lock
from honshi.runs.events import Event
from honshi.runs.process import Process

State = Literal["running", "interrupted", "killed", "diverged", "failed", "finished"]

# Of a training on another machine that has said nothing for so long nobody expects anything any more. A heartbeat comes
# every two seconds, and a shared file system may keep it for a minute.
SILENCE = timedelta(seconds=90)

ENDED: dict[str, State] = {"diverged": "diverged", "failed": "failed"}


@dataclass(frozen=True)
class Status:
    """How a run stands.

    Attributes:
        state: "killed" is a training that could say nothing at its end; "failed" one that an error ended.
        process: which trains it, or did so last; None in runs of older versions, which tell nothing of it.
        since: when that began.
        epoch, step: what it was at when it was last heard of.
        steps: of each epoch.
        problem: the error that ended it.
    """

    state: State
    process: Process | None = None
    since: datetime | None = None
    epoch: int | None = None
    step: int | None = None
    steps: int | None = None
    problem: str | None = None

    @property
    def trainer(self) -> Message:
        """Who trains it, and since when."""
        if self.process is None or self.since is None:
            return Message("another process")
        return Message(
            "process {pid} on {host}, since {since:%Y-%m-%d %H:%M:%S}",
            pid=self.process.pid,
            host=self.process.host,
            since=self.since.astimezone(),
        )


def status_of(run: Path) -> Status:
    """How the run in a folder stands."""
    happened = events.since_begun(run)
    begun = happened[0] if happened and happened[0].kind == "begun" else None
    if (run / "model.json").is_file():
        return _status("finished", begun, happened)
    ended = happened[-1] if happened and happened[-1].kind == "ended" else None
    if begun is None or ended is not None:
        # A process that has the lock and has not said anything yet is about to begin.
        if lock.held(run / events.FILE):
            return _status("running", None, [])
        if ended is None:
            return Status("diverged" if (run / "diverged.json").is_file() else "interrupted")
        # Whose model is gone again is not finished any more.
        return _status(ENDED.get(str(ended.values.get("how")), "interrupted"), begun, happened)
    return _status("running" if _lives(run, begun, happened[-1]) else "killed", begun, happened)


def _lives(run: Path, begun: Event, latest: Event) -> bool:
    """Whether a training that has not ended goes on."""
    if lock.held(run / events.FILE):
        return True
    process = _process(begun)
    if process is not None and process.ran_here:
        # Were it alive, it would hold the lock, if there are any.
        lives = False if begun.values.get("locked") else process.lives
        if lives is not None:
            return lives
    return datetime.now(UTC) - latest.time < SILENCE


def _status(state: State, begun: Event | None, happened: list[Event]) -> Status:
    if begun is None:
        return Status(state)
    epoch, step = _number(begun, "epoch"), 0
    for event in happened[1:]:
        if event.kind == "heartbeat":
            epoch, step = _number(event, "epoch"), _number(event, "step") or 0
        elif event.kind == "epoch":
            epoch, step = _number(event, "epoch"), _number(begun, "steps") or 0
    problem = happened[-1].values.get("problem")
    return Status(
        state,
        process=_process(begun),
        since=begun.time,
        epoch=epoch,
        step=step,
        steps=_number(begun, "steps"),
        problem=problem if isinstance(problem, str) else None,
    )


def _process(begun: Event) -> Process | None:
    try:
        return Process.read(dict(begun.values))
    except (KeyError, TypeError, ValueError):
        return None


def _number(event: Event, key: str) -> int | None:
    value = event.values.get(key)
    return value if isinstance(value, int) else None
