from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from honshi.training.compiled import library as room


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As in a process that has not asked for the library yet."""
    room.library.cache_clear()
    monkeypatch.delenv("CC", raising=False)
    yield monkeypatch
    room.library.cache_clear()


def test_it_is_compiled_once_and_kept(fresh: pytest.MonkeyPatch, honshi_home: Path) -> None:
    assert room.library() is not None
    (kept,) = (honshi_home / "compiled").iterdir()
    written = kept.stat().st_mtime_ns

    room.library.cache_clear()

    assert room.library() is not None
    assert [path.stat().st_mtime_ns for path in (honshi_home / "compiled").iterdir()] == [written]


def test_another_source_is_another_library(fresh: pytest.MonkeyPatch, honshi_home: Path) -> None:
    room.library()
    fresh.setattr(room, "FLAGS", (*room.FLAGS, "-g"))
    room.library.cache_clear()
    room.library()

    assert len(list((honshi_home / "compiled").iterdir())) == 2


def test_without_a_compiler_there_is_none(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("PATH", str(tmp_path))

    assert room.library() is None


def test_a_compiler_that_fails_leaves_nothing_behind(
    fresh: pytest.MonkeyPatch, tmp_path: Path, honshi_home: Path
) -> None:
    broken = tmp_path / "broken-cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    fresh.setenv("CC", str(broken))

    assert room.library() is None
    assert list((honshi_home / "compiled").iterdir()) == []


def test_a_home_that_cannot_be_written_does_without(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fresh.setenv("HONSHI_HOME", str(tmp_path / "file" / "home"))

    assert room.library() is None


def test_a_damaged_library_is_done_without(fresh: pytest.MonkeyPatch, honshi_home: Path, tmp_path: Path) -> None:
    room.library()
    (kept,) = (honshi_home / "compiled").iterdir()
    damaged = tmp_path / "other" / "compiled" / kept.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"not a library")
    fresh.setenv("HONSHI_HOME", str(tmp_path / "other"))
    room.library.cache_clear()

    assert room.library() is None


def test_the_source_compiles_without_a_warning(tmp_path: Path) -> None:
    source = Path(room.__file__).with_name(room.SOURCE)
    compiler = room.find_compiler()
    assert compiler is not None

    done = subprocess.run(
        [compiler, *room.FLAGS, "-Wall", "-Wextra", "-Werror", "-o", os.devnull, str(source), "-lpthread", "-lm"],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
