"""The fuzzer of `make fuzz`: some inputs of every kind at each run, and that it sees what is wrong."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from scripts import fuzz

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_damaged_files_are_read_or_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    counts = fuzz.fuzz([kind], 40, seed=1, failed=tmp_path / "failed")

    assert counts[kind]["wrong"] == 0
    assert counts[kind]["read"] + counts[kind]["refused"] == 40
    assert counts[kind]["refused"]  # some of it is damaged beyond reading


def test_what_raises_anything_else_is_seen_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(folder: Path) -> tuple[Path, fuzz.Read]:
        (folder / "numbers").write_text("1 2 3")
        return folder / "numbers", lambda: [int(word) for word in (folder / "numbers").read_text().split()]

    monkeypatch.setitem(fuzz.KINDS, "careless", careless)
    counts = fuzz.fuzz(["careless"], 40, seed=0, failed=tmp_path / "failed")

    assert counts["careless"]["wrong"] > 5
    assert len(list((tmp_path / "failed").iterdir())) == counts["careless"]["wrong"]


def test_a_damaged_file_differs_from_the_good_one() -> None:
    good = bytes(range(200))
    draws = random.Random(0)

    changed = [fuzz.damaged(good, draws) for _ in range(100)]

    assert sum(content != good for content in changed) > 90
    assert {len(content) < len(good) for content in changed} == {True, False}
