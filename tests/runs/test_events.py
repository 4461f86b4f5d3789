from __future__ import annotations

import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from honshi.runs import events

BEGUN = {"host": "here", "epoch": 1}


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """An open file of events, in a folder that stands for a run's."""
    opened = os.open(tmp_path / events.FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    yield opened
    os.close(opened)


def test_what_is_appended_is_read_again_with_the_time_in_utc(tmp_path: Path, descriptor: int) -> None:
    events.append(descriptor, "begun", BEGUN)

    (event,) = events.since_begun(tmp_path)

    assert (event.kind, dict(event.values)) == ("begun", BEGUN)
    assert event.time.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - event.time) < timedelta(minutes=1)
    assert events.first(tmp_path) == event


def test_what_happened_before_it_went_on_is_left_out(tmp_path: Path, descriptor: int) -> None:
    for kind, values in (("begun", {"n": 1}), ("ended", {"n": 1}), ("begun", {"n": 2}), ("epoch", {"n": 2})):
        events.append(descriptor, kind, values)  # type: ignore[arg-type]

    assert [(event.kind, event.values["n"]) for event in events.since_begun(tmp_path)] == [("begun", 2), ("epoch", 2)]
    first = events.first(tmp_path)
    assert first is not None
    assert first.values["n"] == 1


def test_of_the_heartbeats_the_latest_is_read(tmp_path: Path, descriptor: int) -> None:
    events.append(descriptor, "begun", BEGUN)
    for step in range(100):
        events.append(descriptor, "heartbeat", {"step": step})

    begun, heartbeat = events.since_begun(tmp_path)
    assert (begun.kind, heartbeat.values["step"]) == ("begun", 99)


def test_a_number_that_json_does_not_have_is_left_empty(tmp_path: Path, descriptor: int) -> None:
    events.append(descriptor, "begun", {"loss": math.nan, "other": math.inf, "lr": 0.5})

    (event,) = events.since_begun(tmp_path)
    assert dict(event.values) == {"loss": None, "other": None, "lr": 0.5}


def test_a_name_that_is_not_unicode_is_written_as_far_as_it_goes(tmp_path: Path, descriptor: int) -> None:
    events.append(descriptor, "ended", {"problem": os.fsdecode(b"run-\xff")})
    events.append(descriptor, "begun", BEGUN)

    assert events.first(tmp_path) is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.binary(max_size=300))
def test_damage_hides_no_event_that_is_whole(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / events.FILE
    path.unlink(missing_ok=True)
    opened = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    events.append(opened, "begun", BEGUN)
    os.write(opened, damage)
    events.append(opened, "ended", {"how": "finished"})
    os.close(opened)

    found = events.since_begun(tmp_path)

    assert found[0].kind == "begun"
    assert found[-1].kind == "ended"


@pytest.mark.parametrize(
    "line",
    [
        b"3",
        b"[]",
        b"{}",
        b'{"event": 3, "time": "2030-01-01T00:00:00+00:00"}',
        b'{"event": "begun", "time": "soon"}',
        b'{"event": "begun", "time": "2030-01-01T00:00:00"}',
        b"[" * 100_000,
        b"\xff",
        b"\0" * 50,
    ],
    ids=["number", "list", "nothing", "kind", "time", "no zone", "deep", "no text", "zeros"],
)
def test_a_line_that_is_no_event_is_passed_over(tmp_path: Path, line: bytes) -> None:
    (tmp_path / events.FILE).write_bytes(line + b"\n")

    assert events.since_begun(tmp_path) == []
    assert events.first(tmp_path) is None


def test_where_there_is_no_file_nothing_has_happened(tmp_path: Path) -> None:
    assert events.since_begun(tmp_path) == []
    assert events.first(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / events.FILE)

    assert events.since_begun(tmp_path) == []
    assert events.first(tmp_path) is None
