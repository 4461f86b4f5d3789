from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from honshi.evaluation.intervals import wilson


@pytest.fixture(scope="module")
def opened(folder: Path) -> Any:
    """The first opening, for the run ``first``, with an expectation."""
    return sit(folder, "first", "--yes", "--predict", "0.6", "--json")


def sit(folder: Path, *arguments: str) -> Any:
    finished = subprocess.run(
        [sys.executable, "-m", "honshi", "test", *arguments],
        cwd=folder,
        env={**os.environ, "HONSHI_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_the_first_opening_is_the_first(opened: Any) -> None:
    assert opened["split"] == "test"
    assert (opened["n"], opened["opening"], opened["first"]) == (10_000, 1, True)
    assert opened["interval"] == list(wilson(round(opened["accuracy"] * 10_000), 10_000))
    assert sum(one["n"] for one in opened["per_class"].values()) == 10_000


def test_the_record_says_what_was_known_before(opened: Any) -> None:
    assert opened["expected"] == 0.6
    assert opened["record"]["validation"]["n"] == 6000
    assert opened["record"]["looks"] == 2
    assert len(opened["record"]["recipe_sha256"]) == 64


def test_the_same_weights_get_the_recorded_result(opened: Any, honshi_there: Callable[..., Any]) -> None:
    again = honshi_there("test", "first", "--json")

    assert again.json == opened
    assert "no new opening" in again.err


def test_other_weights_are_refused_until_a_reason_is_given(opened: Any, honshi_there: Callable[..., Any]) -> None:
    honshi_there("train", "--subset", "2000", "--epochs", "2", "--seed", "1", "--out", "runs/second")

    refused = honshi_there("test", "second", "--yes")
    assert refused.code == 2
    assert opened["recorded"] in refused.err
    assert "first" in refused.err

    reopened = honshi_there("test", "second", "--yes", "--again", "--reason", "the labels were wrong", "--json").json
    assert (reopened["opening"], reopened["first"]) == (2, False)
    assert reopened["reason"] == "the labels were wrong"
    assert reopened["simultaneous_interval"][0] < reopened["interval"][0]
    assert reopened["simultaneous_interval"] == list(wilson(round(reopened["accuracy"] * 10_000), 10_000, 0.975))
    assert honshi_there("test", "first", "--json").json["openings"] == 2
    assert "Opening 2 of 2" in honshi_there("test", "second").out


def test_a_person_is_asked_and_may_decline(folder: Path) -> None:
    honshi_home = folder / "another home"
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "honshi", "test", "first"],
        cwd=folder,
        env={**os.environ, "HONSHI_HOME": str(honshi_home)},
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(slave)
    os.write(master, b"n\n")
    told, _ = process.communicate(timeout=60)
    os.close(master)

    assert "Open it? [y/N]" in told
    assert "It stays sealed." in told
    assert process.returncode == 1
    assert not (honshi_home / "ledger.jsonl").exists()


def test_without_a_person_and_without_yes_nothing_is_opened(honshi: Callable[..., Any], tmp_path: Path) -> None:
    honshi("train", "--subset", "500", "--epochs", "1", "--out", "run")

    finished = honshi("test", "run")

    assert finished.code == 2
    assert "--yes" in finished.err
    assert "Validation accuracy" in finished.out
    assert not (tmp_path / "home" / "ledger.jsonl").exists()
