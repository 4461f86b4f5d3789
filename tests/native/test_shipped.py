from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from honshi.errors import HonshiWarning
from honshi.native import shipped
from honshi.native.compiler import CompilerError, find_compiler, suffix_for
from honshi.native.levels import Level, levels_of, runnable
from honshi.native.library import Signature, int32, load
from honshi.native.shipped import FOLDER, INDEX, NotShippedError, build

ANSWER: dict[str, Signature] = {"answer": (int32, [])}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A C file with its libraries beside it, as in an installed package, and no compiler."""
    path = tmp_path / "package" / "answer.c"
    path.parent.mkdir()
    path.write_text("int answer(void) { return 42; }\n")
    compiler = find_compiler()
    assert compiler is not None
    (path.parent / FOLDER).mkdir()
    build(compiler, [path], path.parent / FOLDER, platform.machine(), sys.platform)
    without_a_compiler(monkeypatch)
    return path


def without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")


def library_for(source: Path, level: Level) -> Path:
    return source.parent / FOLDER / f"answer-{level.name}{suffix_for(sys.platform)}"


def test_a_library_for_this_processor_is_loaded_without_a_compiler(source: Path, honshi_home: Path) -> None:
    loaded = load(source, ANSWER)

    assert loaded.code is not None
    assert loaded.code.answer() == 42
    assert (loaded.level, loaded.shipped) == (runnable()[0].name, True)
    assert str(loaded.why) == f"It came with honshi, for {runnable()[0].title}."
    assert not honshi_home.exists()


@pytest.mark.parametrize("level", runnable(), ids=lambda level: level.name)
def test_each_level_that_this_processor_runs_can_be_loaded(
    source: Path, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "runnable", lambda: [level])

    loaded = load(source, ANSWER)

    assert loaded.code is not None
    assert (loaded.level, loaded.code.answer()) == (level.name, 42)


def test_where_the_best_is_not_there_the_next_is_taken(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "runnable", lambda: [Level("avx1024", "AVX-1024"), levels_of(platform.machine())[-1]])

    assert load(source, ANSWER).level == "baseline"


def test_of_another_kind_of_processor_there_is_none(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "runnable", list)

    loaded = load(source, ANSWER)

    assert loaded.code is None
    assert "without compiled code for this kind of processor" in str(loaded.why)
    assert "There is no C compiler here" in str(loaded.why)


@pytest.mark.parametrize("how", ["empty", "cut off", "one bit", "gone", "a folder", "a file of any size"])
def test_a_damaged_library_is_not_loaded(source: Path, how: str) -> None:
    path = library_for(source, runnable()[0])
    content = path.read_bytes()
    path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how == "a file of any size":
        path.touch()
        with path.open("r+b") as stream:
            stream.truncate(1 << 40)
    elif how != "gone":
        damaged = {"empty": b"", "cut off": content[:4096], "one bit": content[:99] + b"\x7f" + content[100:]}[how]
        path.write_bytes(damaged)

    loaded = load(source, ANSWER)

    assert loaded.code is None
    assert f"{path} is damaged: install honshi anew." in str(loaded.why)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"sources": 1, "libraries": {}}', b"\xff", b"[" * 100_000])
def test_a_damaged_index_is_none(source: Path, content: bytes) -> None:
    path = source.parent / FOLDER / INDEX
    path.write_bytes(content)

    loaded = load(source, ANSWER)

    assert loaded.code is None
    assert f"{path} is damaged" in str(loaded.why)


def test_a_library_of_another_source_is_not_loaded(source: Path) -> None:
    source.write_text("int answer(void) { return 43; }\n")

    loaded = load(source, ANSWER)

    assert loaded.code is None
    assert "answer.c is not the file that honshi came with" in str(loaded.why)


def test_what_cannot_be_loaded_says_so(source: Path) -> None:
    path, text = library_for(source, runnable()[0]), b"not a library\n"
    path.write_bytes(text)
    index = json.loads((source.parent / FOLDER / INDEX).read_bytes())
    index["libraries"][path.name] = shipped._sha256(text)
    (source.parent / FOLDER / INDEX).write_text(json.dumps(index))

    assert "What came with honshi cannot be loaded" in str(load(source, ANSWER).why)


def test_what_lacks_a_function_is_not_used(source: Path) -> None:
    loaded = load(source, {"question": (int32, [])})

    assert loaded.code is None
    assert "question" in str(loaded.why)


def test_where_it_is_damaged_a_compiler_takes_its_place(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library_for(source, runnable()[0]).write_bytes(b"")
    monkeypatch.delenv("CC")

    loaded = load(source, ANSWER)

    assert (loaded.level, loaded.shipped) == ("native", False)


def test_it_is_compiled_for_this_very_processor_where_that_is_asked_for(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HONSHI_COMPILE", "1")
    assert load(source, ANSWER).shipped  # no compiler

    monkeypatch.delenv("CC")
    assert load(source, ANSWER).level == "native"

    monkeypatch.setenv("HONSHI_COMPILE", "0")
    assert load(source, ANSWER).shipped


def test_where_the_compiler_that_is_asked_for_fails_it_is_used_all_the_same(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HONSHI_COMPILE", "1")
    monkeypatch.setenv("CC", "false")

    with pytest.warns(HonshiWarning, match="has not compiled"):
        assert load(source, ANSWER).shipped


def test_a_source_without_a_folder_beside_it_was_shipped_without(tmp_path: Path) -> None:
    with pytest.raises(NotShippedError) as raised:
        shipped.shipped(tmp_path / "answer.c", b"")

    assert str(raised.value.problem) == "honshi was installed without compiled code."


def test_two_builds_are_the_same_bytes(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC")
    compiler = find_compiler()
    assert compiler is not None
    (tmp_path / "again").mkdir()

    made = build(compiler, [source], tmp_path / "again", platform.machine(), sys.platform)

    assert {path.name for path in made} == {path.name for path in (source.parent / FOLDER).iterdir()}
    for path in made:
        assert path.read_bytes() == (source.parent / FOLDER / path.name).read_bytes()


def test_of_a_machine_that_is_not_known_nothing_is_built(source: Path, tmp_path: Path) -> None:
    assert build(["no compiler"], [source], tmp_path, "s390x", "linux") == []


def test_a_compiler_that_fails_is_an_error(source: Path, tmp_path: Path) -> None:
    with pytest.raises(CompilerError):
        build(["/bin/false"], [source], tmp_path, "x86_64", "linux")


def test_a_build_needs_nothing_but_pythons_own_library() -> None:
    root = Path(shipped.__file__).parents[2]
    code = "import sys; sys.path.insert(0, sys.argv[1]); import honshi.native.shipped, honshi.native.compiler"

    # -I and -S: without what is installed beside Python.
    subprocess.run([sys.executable, "-I", "-S", "-c", code, root], check=True)
