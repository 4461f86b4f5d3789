"""How far a reading is goes to stderr, so that stdout stays what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.data.store.pictures import draw

from honshi.cli import reading
from honshi.cli.reading import ReadingReport
from honshi.data.store import Reading
from honshi.messages import Message


def test_without_a_terminal_a_line_comes_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ReadingReport()
    report(Reading(100, 4000, 1.0))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(reading, "EVERY_SECONDS", 0.0)

    report(Reading(1000, 4000, 2.0))

    captured = capsys.readouterr()
    assert captured.err == "reading pictures: 1,000 of 4,000, 500 a second, 6 s left\n"
    assert captured.out == ""


def test_that_another_process_is_waited_for_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    ReadingReport()(Message("Waiting for it."))
    assert capsys.readouterr().err == "Waiting for it.\n"


def test_a_training_on_a_folder_keeps_stdout_to_its_document(tmp_path: Path, honshi: Callable[..., Any]) -> None:
    draw(tmp_path / "pets", 300)

    finished = honshi("train", tmp_path / "pets", "--epochs", "1", "--out", "run", "--json")

    assert finished.code == 0, finished.err
    assert finished.json["epochs"][0]["epoch"] == 1
    assert "reading pictures" not in finished.out
