from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_the_cycle_ends_with_a_table_and_a_recipe(honshi: Callable[..., Any], tmp_path: Path) -> None:
    honshi("train", "--subset", "500", "--epochs", "4", "--lr", "0.01", "--out", "runs/slow")

    finished = honshi("improve", "slow", "--budget", "0.5", "--json")

    assert finished.code == 0
    told = finished.json
    assert told["kept"][0] == "more epochs"
    assert told["improved"]["accuracy"] > told["baseline"]["accuracy"] + 0.03
    assert told["seconds"] < 60
    assert "more epochs" in finished.err
    assert "honshi train runs/slow/improved.toml" in finished.err
    assert honshi("train", "runs/slow/improved.toml", "--epochs", "1", "--out", "runs/after").code == 0
    assert not (tmp_path / "home" / "ledger.jsonl").exists()


def test_a_budget_that_is_too_short_is_a_wrong_request(honshi_there: Callable[..., Any], folder: Path) -> None:
    finished = honshi_there("improve", "first", "--budget", "0.0001")

    assert finished.code == 2
    assert "--budget" in finished.err
    assert not (folder / "runs" / "first" / "improvement.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="there Ctrl-C reaches a whole console")
def test_ctrl_c_ends_with_what_was_found_up_to_then(honshi: Callable[..., Any], tmp_path: Path) -> None:
    honshi("train", "--subset", "500", "--epochs", "4", "--lr", "0.01", "--out", "runs/slow")
    command = [sys.executable, "-m", "honshi", "improve", "slow", "--budget", "2"]
    environment = {**os.environ, "HONSHI_HOME": str(tmp_path / "home")}

    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("more epochs"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Stopped before everything was tried" in out
    assert "Traceback" not in err
    told = json.loads((tmp_path / "runs" / "slow" / "improvement.json").read_text())
    assert (told["ended"], told["kept"]) == ("interrupted", ["more epochs"])
