"""The command line is tested as what it is: a process of its own."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.cli.ready import run_ready

from honshi import native


class Finished:
    """A process that has ended."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def json(self) -> Any:
        """Stdout, which must be one JSON document."""
        return json.loads(self.out)


@cache
def _compiled() -> Path:
    """The compiled C code, made once for all processes that these tests start."""
    home = Path(tempfile.mkdtemp(prefix="honshi-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    code = "import sys, pathlib, honshi.native.library as c; [c.load(pathlib.Path(path), {}) for path in sys.argv[1:]]"
    sources = Path(native.__file__).parent.glob("*.c")
    subprocess.run([sys.executable, "-c", code, *sources], env={**os.environ, "HONSHI_HOME": str(home)}, check=True)
    return home / "compiled"


def run_honshi(folder: Path, *arguments: str | Path) -> Finished:
    """Run ``python -m honshi`` in a folder; the ledger is in the folder too."""
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home")}
    kept = folder / "home" / "compiled"
    if not kept.exists() and _compiled().exists():
        shutil.copytree(_compiled(), kept)
    return Finished(run_ready([str(argument) for argument in arguments], folder, environment, seconds=120))


def shown_on_a_terminal(folder: Path, width: int, *arguments: str) -> list[str]:
    """The lines that a command shows on a terminal of some columns."""
    pty, termios, fcntl = (pytest.importorskip(name) for name in ("pty", "termios", "fcntl"))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home"), "TERM": "xterm"}
    for variable in ("COLUMNS", "LINES"):
        environment.pop(variable, None)
    command = [sys.executable, "-m", "honshi", *arguments]
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


@pytest.fixture
def honshi(tmp_path: Path) -> Callable[..., Finished]:
    """Run honshi in an empty folder."""
    return lambda *arguments: run_honshi(tmp_path, *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, ``runs/first``; shared by the tests of a file."""
    folder = tmp_path_factory.mktemp("work")
    finished = run_honshi(folder, "train", "--subset", "2000", "--epochs", "2", "--out", "runs/first")
    assert finished.code == 0, finished.err
    return folder


@pytest.fixture
def honshi_there(folder: Path) -> Callable[..., Finished]:
    """Run honshi in the folder that has a finished run."""
    return lambda *arguments: run_honshi(folder, *arguments)


@pytest.fixture
def on_a_terminal(folder: Path) -> Callable[..., list[str]]:
    """A command on a terminal of some columns, in the folder with the trained run: its width, then its arguments."""
    return lambda width, *arguments: shown_on_a_terminal(folder, width, *arguments)
