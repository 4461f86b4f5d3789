"""Files are written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from honshi.files import home, sha256, write_json, write_whole

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


class TestWriteJSON:
    def test_it_is_json_for_people_too(self, tmp_path: Path) -> None:
        write_json(tmp_path / "run.json", {"classes": ["ねこ", "犬"], "accuracy": 0.5})
        text = (tmp_path / "run.json").read_text("utf-8")
        assert json.loads(text) == {"classes": ["ねこ", "犬"], "accuracy": 0.5}
        assert text.startswith('{\n  "classes"')
        assert "ねこ" in text
        assert text.endswith("}\n")

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
