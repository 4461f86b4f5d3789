"""What happened in a run, as it happened: ``events.jsonl``, one line for each event.

begun       who trains (host, boot, pid, process_started), on what (device, processes), whether it has the lock of
            the folder, how much is to be done (epochs, of so many steps) and which epoch comes first
heartbeat   epoch and step, every few seconds
epoch       a row of the history
ended       how: finished, interrupted, stopped, diverged or failed; and the problem, in a sentence

Each line is written by one write at the end of the file. One of which a full disk or a power cut has left a part, or
that somebody damaged, is passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from honshi.files import append_to, read_tail

FILE = "events.jsonl"
# Heartbeats of a month. What lies farther back nobody needs to tell how a run stands.
MOST_BYTES = 1 << 28
# The first event is at the beginning.
HEAD_BYTES = 1 << 16

Kind = Literal["begun", "heartbeat", "epoch", "ended"]
Ending = Literal["finished", "interrupted", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class Event:
    """One line.

    Attributes:
        kind: what happened.
        time: when, in UTC, by the clock of the machine that wrote it.
        values: what else the line says.
    """

    kind: str
    time: datetime
    values: Mapping[str, Any]


def append(descriptor: int, kind: Kind, values: Mapping[str, Any]) -> None:
    """Add an event to a file that is open for reading and appending.

    Raises:
        OSError: it cannot be written.
    """
    event = {"event": kind, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **values}
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in event.items()
    }
    append_to(descriptor, json.dumps(finite, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace"))


def first(run: Path) -> Event | None:
    """How a run began; None where no event tells."""
    try:
        if not (run / FILE).is_file():
            return None
        with (run / FILE).open("rb") as stream:
            lines = stream.read(HEAD_BYTES).splitlines()
    except OSError:
        return None
    return next((event for line in lines if (event := _parsed(line)) and event.kind == "begun"), None)


def since_begun(run: Path) -> list[Event]:
    """What happened since a training was begun, or gone on with, in a run for the last time; that comes first.

    Of the heartbeats only the latest is among them.
    """
    found: list[Event] = []
    for line in _latest_first(run / FILE):
        if b'"heartbeat"' in line and any(event.kind == "heartbeat" for event in found):
            continue  # without parsing thousands of them
        event = _parsed(line)
        if event is not None:
            found.append(event)
            if event.kind == "begun":
                break
    return found[::-1]


def _latest_first(path: Path) -> Iterator[bytes]:
    try:
        yield from reversed(read_tail(path, MOST_BYTES).splitlines())
    except OSError:
        return


def _parsed(line: bytes) -> Event | None:
    try:
        values = json.loads(line)
        kind, time = values.pop("event"), datetime.fromisoformat(values.pop("time"))
        if not isinstance(kind, str) or time.tzinfo is None:
            return None
        return Event(kind, time, values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
