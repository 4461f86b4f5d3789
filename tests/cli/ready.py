"""A Python that has loaded torch and waits: each `honshi` that is asked for is a fork of it, a process of its own.

Loading torch is more than half of what most commands take, and these tests start hundreds. honshi itself is loaded by
each of them anew, with the environment that it is given. A test that looks at what is loaded or at standard input
starts a Python of its own.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile


def run_ready(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """``python -m honshi`` in a folder, as `subprocess.run` gives it back; there is nothing on its standard input.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    asked = json.dumps({"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)})
    with TemporaryFile() as out, TemporaryFile() as err:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            socket.send_fds(
                _waiting(_read_by_torch(environment)), [asked.encode()], [out.fileno(), err.fileno(), theirs.fileno()]
            )
            process = int.from_bytes(ours.recv(8), "big")
            ours.settimeout(seconds)
            try:
                code = int.from_bytes(ours.recv(8), "big", signed=True)
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["honshi", *arguments], seconds) from None
        told = []
        for file in (out, err):
            file.seek(0)
            told.append(file.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess(["honshi", *arguments], code, *told)


def _read_by_torch(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What torch and its libraries look at when they are loaded."""
    return tuple(pair for pair in sorted(environment.items()) if pair[0].startswith(("OMP_", "GOMP_", "KMP_", "MKL_")))


@cache
def _waiting(settings: tuple[tuple[str, str], ...]) -> socket.socket:
    """Where to ask the Python that waits and has loaded torch with these settings; it ends where that is closed."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, **dict(settings)},
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _wait(requests: socket.socket) -> None:
    """Fork for each request; returns in the child, which is to become what was asked for."""
    while True:
        content, files, _, _ = socket.recv_fds(requests, 1 << 20, 3)
        if not content:
            sys.exit()
        out, err, answers = files
        process = os.fork()
        if process == 0:
            break
        with socket.socket(fileno=answers) as answer, suppress(BrokenPipeError):
            answer.send(process.to_bytes(8, "big"))
            _, status = os.waitpid(process, 0)
            answer.send(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))
        os.close(out)
        os.close(err)

    requests.close()
    os.close(answers)
    for file, place in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
        os.dup2(file, place)
        os.close(file)
    asked = json.loads(content)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["honshi", *asked["arguments"]]
    sys.path[0] = asked["folder"]


if __name__ == "__main__":
    for package in ("torch", "matplotlib.figure"):
        import_module(package)
    _wait(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("honshi", run_name="__main__", alter_sys=True)
