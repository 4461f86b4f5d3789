from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from honshi import native
from honshi.errors import HonshiWarning
from honshi.messages import Message
from honshi.native import compiler, library
from honshi.native.compiler import find_compiler, flags_for, libraries_for
from honshi.native.levels import Level, levels_of
from honshi.native.library import FORGOTTEN_SECONDS, Signature, float64, int32, load

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


@pytest.fixture
def kept(source: Path, honshi_home: Path) -> Path:
    """The library that was kept of it."""
    load(source, ANSWER)
    (path,) = (honshi_home / "compiled").iterdir()
    return path


@pytest.fixture
def compile_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a shell script the compiler; a file beside it has a line for each time that it was called."""

    def make(script: str) -> Path:
        path, calls = tmp_path / "compiler", tmp_path / "calls"
        path.write_text(f"#!/bin/sh\necho called >> {calls}\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("CC", str(path))
        return calls

    return make


def answers(source: Path) -> bool:
    """Whether it is loaded, by a process of its own, as one that begins anew."""
    code = (
        "import sys, pathlib, warnings; warnings.simplefilter('ignore')\n"
        "from honshi.native.library import int32, load\n"
        "code = load(pathlib.Path(sys.argv[1]), {'answer': (int32, [])}).code\n"
        "print(None if code is None else code.answer())"
    )
    done = subprocess.run([sys.executable, "-c", code, source], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout == "42\n"


def test_the_library_computes_what_the_source_says(source: Path) -> None:
    source.write_text("double half(double number) { return number / 2; }\n")
    loaded = load(source, {"half": (float64, [float64])})

    assert loaded.code is not None
    assert loaded.code.half(5) == 2.5
    assert str(loaded.why).startswith("It was compiled here by /")
    assert (loaded.level, loaded.shipped) == ("native", False)


def test_it_is_compiled_once_and_kept(source: Path, honshi_home: Path) -> None:
    assert load(source, ANSWER).code is not None
    (kept,) = (honshi_home / "compiled").iterdir()
    written = kept.stat().st_mtime_ns

    assert load(source, ANSWER).code is not None
    assert [path.stat().st_mtime_ns for path in (honshi_home / "compiled").iterdir()] == [written]


def test_another_source_is_another_library(source: Path, honshi_home: Path) -> None:
    load(source, ANSWER)
    source.write_text("int answer(void) { return 43; }\n")
    loaded = load(source, ANSWER)

    assert loaded.code is not None
    assert loaded.code.answer() == 43
    assert len(list((honshi_home / "compiled").iterdir())) == 2


def test_other_flags_are_another_library(source: Path, honshi_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(source, ANSWER)
    for module in (library, compiler):
        monkeypatch.setattr(module, "NATIVE", (*compiler.NATIVE, "-g"))
    load(source, ANSWER)

    assert len(list((honshi_home / "compiled").iterdir())) == 2


def test_without_a_compiler_there_is_none(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    loaded = load(source, ANSWER)

    assert loaded.code is None
    assert str(loaded.why).endswith("There is no C compiler here: cc, gcc or clang, or what CC names.")


@pytest.mark.parametrize("asked", ["cc -O0", "env cc", '"cc"'])
def test_a_compiler_may_be_asked_for_with_arguments(source: Path, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", asked)

    assert load(source, ANSWER).code is not None


@pytest.mark.parametrize("asked", ["no-such-compiler", '"cc', "   "])
def test_a_compiler_that_is_not_there_is_said_to_be_so(
    source: Path, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", asked)

    assert "or what CC names" in str(load(source, ANSWER).why)


def damaged(content: bytes, how: str) -> bytes:
    middle = len(content) // 2
    return {
        "empty": b"",
        "a text": b"not a library\n",
        "cut off": content[:middle],
        "cut off at a page": content[:4096],
        "one bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "zeros in it": content[: middle - 600] + bytes(1200) + content[middle + 600 :],
        "all zeros": bytes(len(content)),
        "longer": content + b"\0",
    }[how]


@pytest.mark.parametrize(
    "how",
    ["empty", "a text", "cut off", "cut off at a page", "one bit", "zeros in it", "all zeros", "longer"],
)
def test_a_damaged_library_is_compiled_anew(kept: Path, source: Path, how: str) -> None:
    content = kept.read_bytes()
    kept.write_bytes(damaged(content, how))

    assert answers(source)
    assert kept.read_bytes() == content


def test_what_is_no_file_in_its_place_is_done_without(kept: Path, source: Path) -> None:
    kept.unlink()
    os.mkfifo(kept)
    assert answers(source)

    kept.unlink()
    kept.mkdir()
    assert answers(source)


def test_a_file_of_any_size_in_its_place_is_not_read(kept: Path, source: Path) -> None:
    os.truncate(kept, 1 << 40)

    assert answers(source)


def test_a_library_whose_functions_are_others_is_compiled_anew(
    kept: Path, source: Path, compile_by: Callable[[str], Path]
) -> None:
    with pytest.warns(HonshiWarning, match="a library without question"):
        loaded = load(source, {"question": (int32, [])})

    assert loaded.code is None
    assert "a library without question" in str(loaded.why)


FAILING = {
    "fails": ("echo 'answer.c:1: error: no such thing' >&2; exit 1", "ended with code 1 (answer.c:1: error: no such"),
    "fails in silence": ("exit 3", "ended with code 3 (without a word)"),
    "makes nothing": ("exit 0", "made nothing"),
    "makes a text": ("for name; do case $name in *.so) echo no library > $name;; esac; done", "cannot be loaded"),
    "is killed": ("kill -9 $$", "ended with code -9"),
}


@pytest.mark.parametrize(("script", "problem"), FAILING.values(), ids=FAILING.keys())
def test_a_compiler_that_fails_is_said_to_and_not_asked_again(
    source: Path, compile_by: Callable[[str], Path], script: str, problem: str
) -> None:
    calls = compile_by(script)

    with pytest.warns(HonshiWarning) as warned:
        loaded = load(source, ANSWER)

    assert loaded.code is None
    assert problem in str(loaded.why)
    (said,) = (str(warning.message) for warning in warned)
    assert str(loaded.why).endswith(said)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert str(load(source, ANSWER).why) == str(loaded.why)
    assert calls.read_text() == "called\n"


def test_a_compiler_that_cannot_be_started_is_said_to_be_so(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "compiler"
    program.write_bytes(b"\x7fELF and nothing that can run")
    program.chmod(0o755)
    monkeypatch.setenv("CC", str(program))

    with pytest.warns(HonshiWarning, match="cannot be started"):
        assert load(source, ANSWER).code is None


def test_a_compiler_that_hangs_is_ended_with_all_that_it_started_and_costs_once(
    source: Path, tmp_path: Path, compile_by: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = compile_by(f"sleep 100 & echo $! > {tmp_path}/child; wait")
    monkeypatch.setattr(compiler, "LIMIT_SECONDS", 0.5)
    started = time.monotonic()

    with pytest.warns(HonshiWarning, match=r"has not ended within 0.5 seconds"):
        assert load(source, ANSWER).code is None

    assert time.monotonic() - started < 10
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    for _ in range(100):  # the system needs a moment
        if not child.exists() or child.read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("what the compiler started goes on")
    # Neither for this source nor for another.
    source.write_text("int answer(void) { return 43; }\n")
    assert load(source, ANSWER).code is None
    assert calls.read_text() == "called\n"


def test_a_compiler_that_failed_is_tried_again_a_day_later(
    source: Path, honshi_home: Path, compile_by: Callable[[str], Path]
) -> None:
    calls = compile_by("exit 1")
    with pytest.warns(HonshiWarning):
        load(source, ANSWER)
    (failed,) = (honshi_home / "compiled").iterdir()
    failure = json.loads(failed.read_bytes())
    failed.write_text(json.dumps({**failure, "at": failure["at"] - FORGOTTEN_SECONDS - 1}))

    with pytest.warns(HonshiWarning):
        load(source, ANSWER)
    assert calls.read_text() == "called\n" * 2


def test_another_compiler_in_its_place_is_tried_at_once(source: Path, compile_by: Callable[[str], Path]) -> None:
    compile_by("exit 1")
    with pytest.warns(HonshiWarning):
        load(source, ANSWER)
    compile_by('exec cc "$@"')

    assert load(source, ANSWER).code is not None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"\xff", b'{"at": "yesterday", "why": 1}', b'{"at": NaN}', b"[" * 10_000]
)
def test_a_damaged_note_of_a_failure_is_none(source: Path, honshi_home: Path, content: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "compile_library", _fail)
        with pytest.warns(HonshiWarning):
            load(source, ANSWER)
    (failed,) = (honshi_home / "compiled").iterdir()
    failed.write_bytes(content)

    assert load(source, ANSWER).code is not None


def _fail(*arguments: object) -> Path:
    raise compiler.CompilerError(Message("it does not want to."))


def test_a_home_that_cannot_be_written_is_said_to_cost_at_each_start(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HONSHI_HOME", str(tmp_path / "file" / "home"))

    with pytest.warns(HonshiWarning, match="cannot be kept"):
        loaded = load(source, ANSWER)

    assert loaded.code is not None
    assert loaded.code.answer() == 42


def test_where_nothing_can_be_written_at_all_torch_computes(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")

    with pytest.warns(HonshiWarning, match="cannot be compiled here"):
        assert load(source, ANSWER).code is None


WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wvla", "-Werror"]


@pytest.mark.parametrize("level", levels_of(platform.machine()), ids=lambda level: level.name)
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_sources_compile_without_a_warning(path: Path, level: Level) -> None:
    command = find_compiler()
    assert command is not None
    flags = [*flags_for(sys.platform), *level.flags, *WARNINGS]

    done = subprocess.run(
        [*command, *flags, "-o", os.devnull, str(path), *libraries_for(sys.platform)], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
