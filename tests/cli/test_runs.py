from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ALL = ("run", "state", "data", "model", "optimizer", "epochs", "kept", "val loss", "val accuracy", "95 % interval")


def on_a_terminal(folder: Path, width: int) -> list[str]:
    """The lines that ``honshi runs`` shows on a terminal of some columns."""
    termios, fcntl = pytest.importorskip("termios"), pytest.importorskip("fcntl")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home"), "TERM": "xterm"}
    for variable in ("COLUMNS", "LINES"):
        environment.pop(variable, None)
    command = [sys.executable, "-m", "honshi", "runs"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave):
        os.close(slave)
        seen = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # Linux says so when the other end has closed
                break
            if not chunk:
                break
            seen += chunk
    os.close(master)
    return re.sub(r"\x1b\[[0-9;]*m", "", seen.decode()).splitlines()


def test_without_runs_it_says_how_to_begin(honshi: Callable[..., Any]) -> None:
    finished = honshi("runs")

    assert finished.code == 0
    assert "honshi train" in finished.out


def test_in_a_pipe_the_table_has_every_column(honshi_there: Callable[..., Any]) -> None:
    head, row, *_, last = honshi_there("runs").out.splitlines()

    assert re.split(r"  +", head.strip()) == [*ALL, "n", "looks"]
    cells = re.split(r"  +", row.strip())
    assert cells[:7] == ["first", "finished", "mnist", "mlp", "sgd 0.1", "2/2", "2"]
    assert cells[10:] == ["6,000", "2"]
    assert "looked at 2 times" in last


@pytest.mark.parametrize(
    ("width", "shown"), [(80, ("run", "state", "epochs", "val accuracy")), (120, ALL), (55, ("run", "val accuracy"))]
)
def test_a_terminal_sees_the_columns_that_there_is_room_for(folder: Path, width: int, shown: tuple[str, ...]) -> None:
    head, row = on_a_terminal(folder, width)[:2]

    assert len(head) <= width
    assert len(row) <= width
    assert set(shown) <= set(re.split(r"  +", head.strip()))
    assert "first" in row
    assert "finished" in row


def test_a_narrow_terminal_sees_a_block_for_each_run(folder: Path) -> None:
    name, state, score, about = on_a_terminal(folder, 30)[:4]

    assert name == "first"
    assert state.split() == ["finished,", "epoch", "2/2"]
    assert re.fullmatch(r"  \d\d\.\d\d% \(\d\d\.\d\d% to \d\d\.\d\d%\)", score.rstrip())
    assert about.split() == ["mnist", "mlp", "sgd", "0.1"]


def test_a_damaged_run_is_named_and_hides_no_other(honshi_there: Callable[..., Any], folder: Path) -> None:
    damaged = folder / "runs" / "damaged"
    damaged.mkdir()
    (damaged / "recipe.toml").write_text("[model\n")

    rows = {Path(row["run"]).name: row for row in honshi_there("runs", "--json").json}

    assert "TOML" in rows["damaged"]["error"]
    assert rows["first"]["finished"] is True
