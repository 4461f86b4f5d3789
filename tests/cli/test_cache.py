from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.data.store.pictures import draw, listed

from honshi.data.store import ingest


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of six pictures in the home of the processes that are started here."""
    monkeypatch.setenv("HONSHI_HOME", str(tmp_path / "home"))
    pictures = draw(tmp_path / "pets")
    ingest(listed(pictures))
    return pictures


def test_what_is_kept_is_listed_and_removed(kept: Path, honshi: Callable[..., Any]) -> None:
    listed_now = honshi("cache")
    assert listed_now.code == 0
    assert "6 of 3×8×9" in listed_now.out
    names = [entry["name"] for entry in honshi("cache", "--json").json["entries"]]
    assert "pets" in names

    cleared = honshi("cache", "clear", "pets", "--json")

    assert [entry["name"] for entry in cleared.json["removed"]] == ["pets"]
    assert "pets" not in [entry["name"] for entry in honshi("cache", "--json").json["entries"]]
    assert kept.exists()


def test_a_name_that_nothing_has_is_a_wrong_request(honshi: Callable[..., Any]) -> None:
    finished = honshi("cache", "clear", "nothing")
    assert finished.code == 2
    assert "'nothing'" in finished.err
