from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "honshi", "tune", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def states(study: Path) -> dict[int, str]:
    """Number of each trial in a study to its state."""
    connection = sqlite3.connect(study)
    try:
        return dict(connection.execute("SELECT number, state FROM trials").fetchall())
    except sqlite3.OperationalError:  # the tables are not there yet
        return {}
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "it did not get that far"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_search_that_was_ended_keeps_its_trials_and_goes_on(
    honshi: Callable[..., Any], tmp_path: Path, idx_folder: Path, how: signal.Signals
) -> None:
    options = ("--out", "search", "--seeds", "2")
    study = tmp_path / "search" / "study.db"
    process = start(tmp_path, "--data", f"idx:{idx_folder}", *options, "--trials", "1000", "--workers", "2")
    wait_for(lambda: study.exists() and list(states(study).values()).count("PRUNED") >= 2, process)
    process.send_signal(how)
    _, told = process.communicate(timeout=60)

    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in told
    before = states(study)
    kept = {number: state for number, state in before.items() if state in ("COMPLETE", "PRUNED")}

    goal = len(kept) + 2
    finished = honshi("tune", *options, "--trials", str(goal), "--workers", "1", "--json")

    assert finished.code == 0, finished.err
    after = states(study)
    assert {number: after[number] for number in kept} == kept
    assert sum(state in ("COMPLETE", "PRUNED") for state in after.values()) >= goal
    assert "RUNNING" not in after.values()
    assert finished.json == json.loads((tmp_path / "search" / "tune.json").read_text())


def test_it_tells_what_was_found_and_how_far_to_believe_it(honshi: Callable[..., Any], idx_folder: Path) -> None:
    finished = honshi(
        "tune", "--data", f"idx:{idx_folder}", "--trials", "11", "--out", "my search", "--workers", "1", "--seeds", "2"
    )

    assert finished.code == 0, finished.err
    for told in ("Importance: ", "looks seems better", "2 fresh seeds"):
        assert told in finished.out
    # What it says to do next can be pasted.
    train, validate, search_on = (
        shlex.split(line)[1:] for line in re.findall("^ *(honshi .*?)    ", finished.out, re.MULTILINE)
    )
    assert honshi(*train, "--epochs", "1", "--out", "run").code == 0
    assert honshi(*validate).code == 0
    assert search_on == ["tune", "--out", "my search", "--trials", "61"]
