"""Whatever ends a reading, and whoever else reads at the same time: what was read is kept, and nothing is wrong."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.data.store.pictures import draw, listed

from honshi.data.store import Form, Mapped, ingest
from honshi.data.store import workers as decoding_room
from honshi.data.store.build import JOURNAL, PIXELS
from honshi.data.store.layout import BUILD, HEADER, folder_of
from honshi.errors import WriteError

FORM = Form(shape=(3, 8, 9))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw(tmp_path / "pets", 200)


def start(folder: Path, seconds: float) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "tests.data.store.slow_ingest", str(folder), str(seconds)]
    root = Path(__file__).parents[3]
    return subprocess.Popen(program, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def build_of(folder: Path) -> Path:
    return folder_of(str(folder)) / f"{FORM.key}-open" / BUILD


def expected(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mapped:
    """Read without interruption, in another home."""
    with monkeypatch.context() as other:
        other.setenv("HONSHI_HOME", str(tmp_path / "other"))
        return ingest(listed(folder), FORM)


def test_a_reading_that_was_killed_goes_on_where_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(folder, 0.01)
    assert process.stdout is not None
    for line in process.stdout:
        if not line.startswith("0/"):
            break
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.communicate()
    assert not (build_of(folder).parent / HEADER).exists()
    read_before = (build_of(folder) / JOURNAL).stat().st_size // 72
    assert 0 < read_before < 200
    decoded = _count_decoded(monkeypatch)

    images = ingest(listed(folder), FORM)

    assert sum(decoded) == 200 - read_before
    whole = expected(folder, monkeypatch, tmp_path)
    assert np.array_equal(images.digests, whole.digests)
    assert torch.equal(images.gather(torch.arange(200)), whole.gather(torch.arange(200)))
    assert not build_of(folder).exists()


def test_two_processes_read_each_picture_once(folder: Path) -> None:
    both = [start(folder, 0.005) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].splitlines() for process in both]

    assert all(process.returncode == 0 for process in both), said
    identities, opened = zip(*((lines[-1].split()[1], int(lines[-1].split()[2])) for lines in said), strict=True)
    assert identities[0] == identities[1]
    assert sorted(opened) == [0, 200]
    waiting = said[opened.index(0)]
    assert waiting[0] == "Another process is reading these pictures. Waiting for it."


def test_what_the_journal_promises_and_the_disk_has_not_is_read_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_unfinished(folder, monkeypatch)
    journal, pixels = build_of(folder) / JOURNAL, build_of(folder) / PIXELS
    known = journal.stat().st_size // 72
    with pixels.open("r+b") as stream:  # a power cut: a page that did not reach the disk, and half a record
        stream.write(bytes(5 * FORM.bytes))
    with journal.open("ab") as stream:
        stream.write(b"half a record")
    decoded = _count_decoded(monkeypatch)

    images = ingest(listed(folder), FORM)

    assert sum(decoded) == 200 - known + 5
    assert np.array_equal(images.digests, expected(folder, monkeypatch, tmp_path).digests)


def test_what_was_read_before_another_picture_came_is_not_read_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_unfinished(folder, monkeypatch)
    known = (build_of(folder) / JOURNAL).stat().st_size // 72
    (folder / "cat/0.png").rename(folder / "cat/another.png")
    decoded = _count_decoded(monkeypatch)

    images = ingest(listed(folder), FORM)

    assert sum(decoded) == 200 - known
    assert np.array_equal(images.digests, expected(folder, monkeypatch, tmp_path).digests)
    assert [path.name for path in build_of(folder).parent.glob(f"{BUILD}*")] == []


@pytest.mark.parametrize("when", ["before it begins", "as it goes on"])
def test_a_full_disk_is_said_and_nothing_is_left(folder: Path, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if when == "before it begins":
        monkeypatch.setattr(os, "posix_fallocate", full)
    else:
        monkeypatch.setattr("honshi.data.store.build._write", full)

    with pytest.raises(WriteError, match="there is no space left"):
        ingest(listed(folder), FORM)

    assert [path.name for path in build_of(folder).parent.iterdir()] == ["lock"]


def test_a_damaged_store_is_read_anew(folder: Path) -> None:
    images = ingest(listed(folder), FORM)
    identity, pixels = images.identity, images.store.pixels
    (images.store.folder / HEADER).write_text("{")
    assert ingest(listed(folder), FORM).identity == identity
    with pixels.open("r+b") as stream:
        stream.truncate(100)
    assert ingest(listed(folder), FORM).identity == identity
    images.store.folder.joinpath(images.store.header["pictures"]).write_bytes(b"")
    assert ingest(listed(folder), FORM).identity == identity


def _count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counts: list[int] = []
    decode = decoding_room.decode  # type: ignore[attr-defined]

    def noted(pictures: Any, contract: Any) -> object:
        counts.append(len(pictures))
        return decode(pictures, contract)

    monkeypatch.setattr(decoding_room, "decode", noted)
    return counts


def _leave_unfinished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading that ended somewhere in the middle."""

    def broken(pictures: Any, contract: Any) -> object:
        if pictures[0][0] > 90:
            raise KeyboardInterrupt
        return decode(pictures, contract)

    with monkeypatch.context() as patched:
        decode = decoding_room.decode  # type: ignore[attr-defined]
        patched.setattr(decoding_room, "decode", broken)
        with pytest.raises(KeyboardInterrupt):
            ingest(listed(folder), FORM)
