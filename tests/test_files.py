"""Files are written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from honshi.errors import WriteError
from honshi.files import (
    append_line,
    home,
    make_file,
    make_folder,
    not_written,
    read_bounded,
    sha256,
    write_json,
    write_whole,
)

# Writes two contents in turn, each of one byte repeated, until it is stopped.
WRITER = """
import sys
from pathlib import Path
from honshi.files import write_whole

path = Path(sys.argv[1])
contents = [bytes([byte]) * 2_000_000 for byte in (1, 2)]
while True:
    for content in contents:
        write_whole(path, content)
"""


@pytest.fixture
def umask() -> Iterator[int]:
    """Others may read nothing and the group may not write."""
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


class TestWriteWhole:
    def test_a_new_file_has_the_content(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "new.bin", b"content")
        assert (tmp_path / "new.bin").read_bytes() == b"content"

    def test_an_old_file_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "old.bin"
        path.write_bytes(b"a much longer content than the new one")
        write_whole(path, b"new")
        assert path.read_bytes() == b"new"

    def test_missing_folders_are_made(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "a" / "b" / "c.bin", b"content")
        assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"content"

    def test_no_other_file_is_left_beside_it(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "only.bin", b"content")
        assert [path.name for path in tmp_path.iterdir()] == ["only.bin"]

    @pytest.mark.parametrize("interruption", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
    def test_an_interrupted_writing_leaves_what_was_there_and_no_more(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
    ) -> None:
        path = tmp_path / "old.bin"
        path.write_bytes(b"old")

        def interrupted(descriptor: int) -> None:
            raise interruption

        monkeypatch.setattr(os, "fsync", interrupted)
        with pytest.raises(type(interruption)):
            write_whole(path, b"new")
        assert path.read_bytes() == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["old.bin"]

    def test_a_folder_of_that_name_stays(self, tmp_path: Path) -> None:
        (tmp_path / "taken").mkdir()
        with pytest.raises(OSError, match="taken"):
            write_whole(tmp_path / "taken", b"content")
        assert [path.name for path in tmp_path.iterdir()] == ["taken"]

    def test_a_reader_in_another_process_never_sees_half_of_it(self, tmp_path: Path) -> None:
        path = tmp_path / "file.bin"
        seen = set()
        with subprocess.Popen([sys.executable, "-c", WRITER, path]) as writer:
            try:
                while not path.exists():
                    assert writer.poll() is None
                for _ in range(300):
                    content = path.read_bytes()
                    assert len(content) == 2_000_000
                    assert content.count(content[0]) == len(content)
                    seen.add(content[0])
            finally:
                writer.kill()
        assert seen == {1, 2}

    def test_who_may_read_it_is_decided_by_the_umask(self, tmp_path: Path, umask: int) -> None:
        write_whole(tmp_path / "file.bin", b"content")
        assert (tmp_path / "file.bin").stat().st_mode & 0o777 == 0o666 & ~umask

    def test_a_folder_that_is_not_to_be_made_again_is_missed(self, tmp_path: Path) -> None:
        with pytest.raises(WriteError, match="there is no such file or folder"):
            write_whole(tmp_path / "gone" / "state.pt", b"content", parents=False)
        assert not (tmp_path / "gone").exists()

    def test_what_a_killed_process_left_goes_after_a_while(self, tmp_path: Path) -> None:
        old, new, other = (
            tmp_path / f".{name}.part" for name in ("a.bin.0a1b2c3d", "a.bin.4e5f6a7b", "b.bin.8c9d0e1f")
        )
        for path in (old, new, other):
            path.touch()
        for path in (old, other):
            os.utime(path, (0, 0))
        write_whole(tmp_path / "a.bin", b"content")
        assert sorted(tmp_path.iterdir()) == sorted([new, other, tmp_path / "a.bin"])


class TestWhatKeepsAFileFromBeingWritten:
    @pytest.mark.parametrize(
        ("number", "told"),
        [
            (errno.ENOSPC, "there is no space left. Make room there"),
            (errno.EDQUOT, "there is no space left. Make room there"),
            (errno.EACCES, "you have no permission for that"),
            (errno.EROFS, "this file system can only be read"),
            (errno.EIO, os.strerror(errno.EIO)),
        ],
    )
    def test_it_is_said_what_where_and_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
    ) -> None:
        def refuse(descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(WriteError, match=rf"{tmp_path / 'file'}: this cannot be written: {told}") as raised:
            write_whole(tmp_path / "file", b"content")
        assert raised.value.errno == number
        assert "HONSHI_HOME" not in str(raised.value)

    def test_of_the_data_folder_it_is_said_that_there_may_be_another(
        self, honshi_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(WriteError, match="HONSHI_HOME names another one"):
            write_whole(honshi_home / "file", b"content")

    def test_a_name_that_is_too_long(self, tmp_path: Path) -> None:
        with pytest.raises(WriteError, match=r"the name is too long\. Choose a shorter one"):
            write_whole(tmp_path / ("a" * 300), b"content")

    def test_a_file_where_a_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for write in (make_folder, make_file, lambda path: append_line(path, b"line")):
            with pytest.raises(WriteError, match="there is something else of that name"):
                write(tmp_path / "file" / "more")

    def test_a_file_that_may_not_be_larger(self, tmp_path: Path) -> None:
        code = (
            "import resource, signal, sys, pathlib\n"
            "from honshi.files import write_whole\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "write_whole(pathlib.Path(sys.argv[1]), b'a' * 5000)"
        )
        finished = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "file"], capture_output=True, text=True, check=False
        )
        assert "WriteError" in finished.stderr
        assert "it is larger than a file may be there" in finished.stderr
        assert list(tmp_path.iterdir()) == []

    def test_a_result_that_stands_without_the_file_takes_a_note(self, tmp_path: Path) -> None:
        (tmp_path / "file").mkdir()
        assert not_written(lambda: write_whole(tmp_path / "other", b"content")) is None
        note = not_written(lambda: write_whole(tmp_path / "file", b"content"))
        assert str(note).startswith(f"{tmp_path / 'file'}: this cannot be written")


class TestAppendLine:
    def test_lines_come_one_after_the_other(self, tmp_path: Path) -> None:
        append_line(tmp_path / "new" / "file", b"one")
        append_line(tmp_path / "new" / "file", b"two")
        assert (tmp_path / "new" / "file").read_bytes() == b"one\ntwo\n"

    def test_behind_half_a_line_it_is_a_line_of_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"one\ntw")
        append_line(tmp_path / "file", b"three")
        assert (tmp_path / "file").read_bytes() == b"one\ntw\nthree\n"

    def test_half_of_it_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
        with pytest.raises(WriteError, match="there is no space left"):
            append_line(tmp_path / "file", b"a line")


class TestReadBounded:
    def test_what_fits_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"12345")
        assert read_bounded(tmp_path / "file", 5) == b"12345"
        with pytest.raises(OSError, match="more than 4 bytes"):
            read_bounded(tmp_path / "file", 4)

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="it is not a file"):
            read_bounded(tmp_path / "pipe", 5)

    def test_a_bound_that_is_larger_than_memory_costs_none(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"12345")
        assert read_bounded(tmp_path / "file", 1 << 60) == b"12345"


@pytest.mark.parametrize("write", [make_file, lambda path: append_line(path, b"a line")], ids=["make", "append"])
def test_nobody_waits_for_whoever_reads_a_pipe(tmp_path: Path, write: Callable[[Path], None]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WriteError, match="there is something else of that name"):
        write(tmp_path / "pipe")


class TestWriteJSON:
    def test_it_is_json_for_people_too(self, tmp_path: Path) -> None:
        write_json(tmp_path / "run.json", {"classes": ["ねこ", "犬"], "accuracy": 0.5})
        text = (tmp_path / "run.json").read_text("utf-8")
        assert json.loads(text) == {"classes": ["ねこ", "犬"], "accuracy": 0.5}
        assert text.startswith('{\n  "classes"')
        assert "ねこ" in text
        assert text.endswith("}\n")

    def test_a_name_that_is_not_utf_8_comes_back(self, tmp_path: Path) -> None:
        write_json(tmp_path / "run.json", {"run": "runs/\udcff"})
        assert json.loads((tmp_path / "run.json").read_text("utf-8")) == {"run": "runs/\udcff"}

    @pytest.mark.parametrize("value", [math.nan, math.inf, {"set"}], ids=repr)
    def test_what_json_does_not_know_leaves_the_old_file(self, tmp_path: Path, value: object) -> None:
        path = tmp_path / "run.json"
        write_json(path, "old")
        with pytest.raises((ValueError, TypeError)):
            write_json(path, value)
        assert json.loads(path.read_bytes()) == "old"


class TestHome:
    def test_the_environment_names_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HONSHI_HOME", str(tmp_path / "elsewhere"))
        assert home() == tmp_path / "elsewhere"

    def test_a_tilde_in_it_is_the_users_own_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("HONSHI_HOME", "~/elsewhere")
        assert home() == tmp_path / "elsewhere"

    @pytest.mark.parametrize("override", [None, ""])
    def test_otherwise_it_is_the_users_own_data_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str | None
    ) -> None:
        monkeypatch.delenv("HONSHI_HOME")
        if override is not None:
            monkeypatch.setenv("HONSHI_HOME", override)
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert home().is_relative_to(tmp_path)
        assert home().name == "honshi"

    def test_asking_makes_no_folder(self, honshi_home: Path) -> None:
        assert home() == honshi_home
        assert not honshi_home.exists()


def test_sha256_is_the_published_one() -> None:
    # The test vector of FIPS 180-2 for "abc".
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"abc") == sha256(memoryview(b"abc")) == expected
