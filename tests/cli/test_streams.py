from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from honshi.cli.streams import make_ready


def honshi(
    folder: Path, *arguments: str, shell: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[bytes]:
    """Run honshi with streams of an encoding, redirected as a shell does it."""
    environment = {
        **os.environ,
        "HONSHI_HOME": str(folder / "home"),
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": f"{encoding}:strict",
    }
    command = ["sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, "-m", "honshi", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)


@pytest.mark.parametrize("encoding", ["cp1252", "cp932", "cp437", "ascii"])
def test_a_table_goes_to_a_file_of_any_encoding(tmp_path: Path, encoding: str) -> None:
    damaged = tmp_path / "runs" / "犬×…"
    damaged.mkdir(parents=True)
    (damaged / "recipe.toml").write_text("[model\n")

    finished = honshi(tmp_path, "runs", encoding=encoding)

    assert finished.returncode == 0, finished.stderr
    kept = {"cp1252": "?×…", "cp932": "犬×…", "cp437": "?x...", "ascii": "?x..."}[encoding]
    assert kept in finished.stdout.decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp932", "ascii"])
def test_json_holds_every_name_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    for name in ("犬×…é", os.fsdecode(b"not-\xff-utf-8")):
        damaged = tmp_path / "runs" / name
        damaged.mkdir(parents=True)
        (damaged / "recipe.toml").write_text("[model\n")

    finished = honshi(tmp_path, "runs", "--json", encoding=encoding)

    assert finished.returncode == 0, finished.stderr
    names = {Path(row["run"]).name for row in json.loads(finished.stdout.decode(encoding))}
    assert names == {"犬×…é", os.fsdecode(b"not-\xff-utf-8")}


def test_an_error_is_said_in_any_encoding(tmp_path: Path) -> None:
    finished = honshi(tmp_path, "train", "犬é→.toml", encoding="cp437")

    assert finished.returncode == 2
    assert "?é->.toml" in finished.stderr.decode("cp437")


def test_help_is_plain_ascii(honshi_help: list[str]) -> None:
    assert [text for text in honshi_help if not text.isascii()] == []


@pytest.fixture
def honshi_help() -> list[str]:
    """The help of every command."""
    import click

    from honshi.cli import honshi as group

    return [
        command.get_help(click.Context(command, info_name=name))
        for name, command in {**group.commands, "": group}.items()
    ]


@pytest.mark.parametrize("shell", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(tmp_path: Path, shell: str) -> None:
    finished = honshi(tmp_path, "runs", shell=shell)

    assert finished.returncode == 0
    assert b"Error" not in finished.stderr


def test_no_file_is_opened_in_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "from honshi.cli.streams import make_ready; make_ready(); "
        "print(open('file', 'w').fileno(), file=open('n', 'w'))"
    )
    subprocess.run(["sh", "-c", f'exec {sys.executable} -c "{code}" <&- >&- 2>&-'], cwd=tmp_path, check=True)

    assert int((tmp_path / "n").read_text()) > 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_output_to_a_full_disk_fails_in_one_sentence(tmp_path: Path) -> None:
    finished = honshi(tmp_path, "runs", "--json", shell="> /dev/full")

    assert finished.returncode == 1
    assert (
        finished.stderr.decode()
        .splitlines()[-1]
        .startswith("Error: The output cannot be written: there is no space left.")
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_where_errors_cannot_be_written_either_the_exit_code_tells(tmp_path: Path) -> None:
    assert honshi(tmp_path, "train", "lectre", shell="2> /dev/full").returncode == 2


def test_streams_that_a_test_put_in_their_place_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        encoding = "ascii"

    other: Any = Other()
    monkeypatch.setattr(sys, "stdout", other)

    make_ready()

    assert sys.stdout is other
