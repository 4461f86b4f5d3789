"""What can be made again is listed and removed; what cannot is not touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import filelock
import pytest
from tests.data.store.pictures import draw, listed

from honshi.actions.cache import clear, list_cache, size_of
from honshi.data.store import Settings, ingest
from honshi.data.store.layout import BUILD, LOCK
from honshi.errors import RequestError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = draw(tmp_path / "pets")
    ingest(listed(folder))
    return folder


@pytest.fixture
def precious(honshi_home: Path) -> list[Path]:
    """What cannot be made again."""
    paths = [honshi_home / "ledger.jsonl", honshi_home / "looks" / "a.jsonl", honshi_home / "parts.sqlite3"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    return paths


def test_stores_are_listed_with_what_they_hold(folder: Path) -> None:
    ingest(listed(folder), Settings(size=4))

    entries = list_cache().entries

    assert [entry.name for entry in entries] == ["pets", "pets"]
    assert {entry.shape for entry in entries} == {(6, 3, 8, 9), (6, 3, 4, 4)}
    assert all(entry.bytes > 0 and entry.used is not None for entry in entries)


def test_all_that_can_be_made_again_is_removed_and_nothing_else(
    folder: Path, precious: list[Path], honshi_home: Path
) -> None:
    (honshi_home / "leaks").mkdir()
    (honshi_home / "leaks" / "a.json").write_text("[]")

    cleared = clear()

    assert sorted(entry.name for entry in cleared.removed) == ["leaks", "pets"]
    assert all(path.read_text() == "precious" for path in precious)
    assert list_cache().entries == []
    assert not any((honshi_home / "stores").iterdir())
    assert len(ingest(listed(folder))) == 6


def test_some_of_it_goes_by_its_name(folder: Path, tmp_path: Path) -> None:
    ingest(listed(draw(tmp_path / "others")))

    assert [entry.name for entry in clear(["pets"]).removed] == ["pets"]
    assert [entry.name for entry in list_cache().entries] == ["others"]
    with pytest.raises(RequestError, match=r"'pets'\. There is: others\."):
        clear(["pets"])


def test_what_cannot_be_made_again_any_more_goes_only_by_its_name(folder: Path) -> None:
    shutil.rmtree(folder)

    cleared = clear()

    assert cleared.removed == []
    assert "pets stays: the pictures that it was read from are not there any more." in map(str, cleared.sentences)
    assert [entry.name for entry in clear(["pets"]).removed] == ["pets"]


def test_what_another_process_is_reading_stays(folder: Path) -> None:
    store = list_cache().entries[0].path
    with filelock.FileLock(store / LOCK):
        cleared = clear()

    assert cleared.removed == []
    assert "pets stays: another process is using it" in str(cleared.sentences[-1])


def test_an_unfinished_store_is_listed_and_removed(folder: Path) -> None:
    store = list_cache().entries[0].path
    (store / "store.json").unlink()
    (store / BUILD).mkdir()

    (entry,) = list_cache().entries
    assert str(entry.what) == "pictures, unfinished"
    assert clear([entry.name]).removed[0].path == store
    assert not store.exists()


def test_a_training_goes_on_though_its_store_is_removed(folder: Path) -> None:
    images = ingest(listed(folder))
    before = images[0][0]

    clear()

    assert images[0][0].equal(before)


def test_nothing_is_said_to_be_kept_where_nothing_is() -> None:
    assert "Nothing is kept" in str(list_cache().sentences[0])


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_300_000, "2.3 MB"), (12_288_000_000, "12.3 GB")],
)
def test_sizes_are_shown_as_people_read_them(count: int, shown: str) -> None:
    assert size_of(count) == shown
