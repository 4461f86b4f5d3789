"""The lab as what it is: a process that is started, asked over the network, and ended by signals."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest


class Served:
    """A lab in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        environment = {**os.environ, "HONSHI_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "honshi", "lab", "--no-browser"]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", line)
        assert found is not None, line + self.process.stdout.read()
        self.port, self.token = int(found[1]), found[2]

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @property
    def cookie(self) -> str:
        return f"honshi-{self.port}={self.token}"

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    lab = Served(tmp_path)
    yield lab
    lab.end()


def test_the_printed_address_lets_in_and_nothing_else_does(served: Served) -> None:
    assert served.get("/", Cookie=served.cookie)[0] == 200
    assert served.get("/")[0] == 403
    assert served.get("/", Cookie=served.cookie, Host="evil.example")[0] == 421
    assert served.get("/..%2f..%2fetc/passwd", Cookie=served.cookie)[0] == 404
    assert served.get("/static/..%2f..%2fserve.py", Cookie=served.cookie)[0] == 404


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_the_token_is_for_its_user_alone_and_stays_when_the_lab_is_started_anew(served: Served, tmp_path: Path) -> None:
    kept = served.home / "lab" / "token"
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == (served.token, 0o600)

    served.process.send_signal(signal.SIGKILL)
    served.process.wait(10)
    again = Served(tmp_path)
    assert again.token == served.token
    again.end()

    # One that others can read is not trusted any more.
    kept.chmod(0o644)
    third = Served(tmp_path)
    assert third.token != served.token
    third.end()


def test_a_sender_that_never_comes_to_an_end_is_cut_off(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=15) as slow:
        started = time.monotonic()
        slow.sendall(b"POST /api/look HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        ended = False
        while time.monotonic() - started < 12 and not ended:
            try:
                slow.sendall(b"X: y\r\n")
                slow.settimeout(0.5)
                ended = slow.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended
        assert 2 < time.monotonic() - started < 8
    assert served.get("/", Cookie=served.cookie)[0] == 200


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT is sent there")
def test_ctrl_c_ends_it_though_pages_are_open(served: Served) -> None:
    pages = []
    for _ in range(5):
        page = socket.create_connection(("127.0.0.1", served.port), timeout=10)
        page.sendall(
            f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nCookie: {served.cookie}\r\n\r\n".encode()
        )
        assert b"200" in page.recv(20)
        pages.append(page)

    started = time.monotonic()
    served.process.send_signal(signal.SIGINT)
    served.process.wait(10)

    assert time.monotonic() - started < 3
    for page in pages:
        page.close()


def test_it_loads_no_torch(served: Served) -> None:
    maps = Path(f"/proc/{served.process.pid}/maps")
    if not maps.exists():
        pytest.skip("nothing tells here what a process has loaded")
    assert "libtorch" not in maps.read_text()


def test_a_folder_without_runs_is_left_without_them(served: Served) -> None:
    assert served.get("/", Cookie=served.cookie)[0] == 200
    shutil.rmtree(served.home, ignore_errors=True)
    assert {path.name for path in served.folder.iterdir()} <= {"home"}
