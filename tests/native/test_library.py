from __future__ import annotations

import os
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from honshi import native
from honshi.native import library
from honshi.native.library import FLAGS, LIBRARIES, Signature, find_compiler, float64, int32, load

ANSWER: dict[str, Signature] = {"answer": (int32, [])}
SOURCES = sorted(Path(native.__file__).parent.glob("*.c"))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A C file that can be compiled."""
    monkeypatch.delenv("CC", raising=False)
    path = tmp_path / "sources" / "answer.c"
    path.parent.mkdir()
    path.write_text("int answer(void) { return 42; }\n")
    return path


def test_the_library_computes_what_the_source_says(source: Path, honshi_home: Path) -> None:
    source.write_text("double half(double number) { return number / 2; }\n")
    loaded = load(source, {"half": (float64, [float64])})

    assert loaded is not None
    assert loaded.half(5) == 2.5


def test_it_is_compiled_once_and_kept(source: Path, honshi_home: Path) -> None:
    assert load(source, ANSWER) is not None
    (kept,) = (honshi_home / "compiled").iterdir()
    written = kept.stat().st_mtime_ns

    assert load(source, ANSWER) is not None
    assert [path.stat().st_mtime_ns for path in (honshi_home / "compiled").iterdir()] == [written]


def test_another_source_is_another_library(source: Path, honshi_home: Path) -> None:
    load(source, ANSWER)
    source.write_text("int answer(void) { return 43; }\n")
    loaded = load(source, ANSWER)

    assert loaded is not None
    assert loaded.answer() == 43
    assert len(list((honshi_home / "compiled").iterdir())) == 2


def test_other_flags_are_another_library(source: Path, honshi_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(source, ANSWER)
    monkeypatch.setattr(library, "FLAGS", (*FLAGS, "-g"))
    load(source, ANSWER)

    assert len(list((honshi_home / "compiled").iterdir())) == 2


def test_without_a_compiler_there_is_none(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert load(source, ANSWER) is None


def test_a_compiler_that_fails_leaves_nothing_behind(source: Path, honshi_home: Path) -> None:
    source.write_text("this is no C\n")

    assert load(source, ANSWER) is None
    assert list((honshi_home / "compiled").iterdir()) == []


def test_a_home_that_cannot_be_written_does_without(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HONSHI_HOME", str(tmp_path / "file" / "home"))

    assert load(source, ANSWER) is None


def test_a_damaged_library_is_done_without(
    source: Path, honshi_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(source, ANSWER)
    (kept,) = (honshi_home / "compiled").iterdir()
    damaged = tmp_path / "other" / "compiled" / kept.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"not a library")
    monkeypatch.setenv("HONSHI_HOME", str(tmp_path / "other"))

    assert load(source, ANSWER) is None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_sources_compile_without_a_warning(path: Path) -> None:
    compiler = find_compiler()
    assert compiler is not None
    warnings = ["-Wall", "-Wextra", "-Werror"]

    done = subprocess.run(
        [compiler, *FLAGS, *warnings, "-o", os.devnull, str(path), *LIBRARIES], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_the_package_carries_its_sources() -> None:
    assert SOURCES
    for path in SOURCES:
        assert (resources.files(native) / path.name).is_file()
