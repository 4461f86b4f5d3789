from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMANDS = (
    "check",
    "train",
    "tune",
    "runs",
    "diagnose",
    "improve",
    "validate",
    "compare",
    "predict",
    "export",
    "test",
    "ledger",
    "doctor",
)
# What would make help slow.
HEAVY = ("torch", "numpy", "matplotlib", "PIL", "pydantic", "optuna", "sqlalchemy")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(honshi: Callable[..., Any], command: str) -> None:
    finished = honshi(command, "--help")

    assert finished.code == 0
    assert "Example" in finished.out
    assert f"honshi {command}" in finished.out


def test_help_lists_every_command(honshi: Callable[..., Any]) -> None:
    shown = honshi("--help").out

    assert [command for command in COMMANDS if f"  {command} " not in shown] == []


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['honshi', 'train', '--help']\n"
        "from honshi.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)

    assert finished.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "--eopchs", "3"], "--epochs"),
        (["trian"], "No such command"),
        (["train", "--epochs", "many"], "many"),
        (["train", "--epochs", "0"], "training.epochs"),
        (["train", "--lr", "-1"], "optimizer.lr"),
        (["train", "--hidden", "128,wide"], "128,64"),
        (["train", "cnn", "--hidden", "128"], "model.hidden"),
        (["train", "--set", "optimizer.momentun=0.9"], "momentum"),
        (["train", "--set", "momentum"], "KEY=VALUE"),
        (["train", "lectre"], "'lecture'"),
        (["train", "missing.toml"], "missing.toml"),
        (["train", "--data", "mnits"], "'mnist'"),
        (["train", "--data", "idx:nowhere"], "nowhere"),
        (["train", "--device", "gpu"], "gpu"),
        (["train", "--subset", "60000"], "54000"),
        (["train", "--resume", "latest"], "honshi runs"),
        (["tune", "lectre"], "'lecture'"),
        (["tune", "--trials", "0"], "--trials"),
        (["tune", "--storage", "nonsense"], "postgresql://"),
        (["validate", "nothing"], "honshi runs"),
        (["predict", "latest"], "PATH"),
        (["test", "latest", "--again"], "--reason"),
        (["test", "latest", "--predict", "97.5"], "0.975"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_exit_code_2(
    honshi: Callable[..., Any], tmp_path: Path, arguments: list[str], told: str
) -> None:
    finished = honshi(*arguments)

    assert finished.code == 2
    assert told in finished.err
    assert "Traceback" not in finished.err
    assert finished.out == ""
    assert not (tmp_path / "runs").exists()


def test_debug_shows_the_traceback_wherever_it_stands(honshi: Callable[..., Any]) -> None:
    assert "Traceback" in honshi("train", "lectre", "--debug").err
    assert "Traceback" in honshi("--debug", "train", "lectre").err


def test_a_closed_pipe_is_no_error_message(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        finished = subprocess.run(
            [sys.executable, "-m", "honshi", "doctor", "--json"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    assert finished.returncode == 1
    assert finished.stderr.count("Error") == 0
    assert "Traceback" not in finished.stderr
