"""Tables in Parquet: the same rows as of a table of text, whatever the types of the columns are."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.sources.made import answers, listing_of, make, parts

from honshi.data.sources.parquet import parquet_rows
from honshi.errors import DataRefusedError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make(tmp_path, "a.png", "b.png", "c.png", "deep/d.png", "猫.png")


def table(folder: Path, columns: Mapping[str, Any], name: str = "labels.parquet") -> Path:
    path = folder / name
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["cat", "dog"], ("cat", "dog")),
        (["007", "NA"], ("007", "NA")),
        ([7, 10], ("7", "10")),
        ([1.0, 2.0], ("1", "2")),
        ([True, False], ("True", "False")),
        (pyarrow.array(["cat", "dog"]).dictionary_encode(), ("cat", "dog")),
    ],
    ids=["text", "text that looks like numbers", "whole numbers", "floats", "truths", "a dictionary"],
)
def test_labels_are_text_whatever_their_type(pictures: Path, labels: Any, expected: tuple[str, str]) -> None:
    path = table(pictures, {"path": ["a.png", "b.png"], "label": labels})

    assert answers(listing_of(path)) == dict(zip(("a.png", "b.png"), expected, strict=True))


def test_columns_are_known_by_their_names_and_others_may_be_of_any_type(pictures: Path) -> None:
    columns = {
        "box": [[1, 2], [3, 4], []],
        "file_name": ["a.png", "b.png", "猫.png"],
        "class": ["cat", "dog", "cat"],
        "split": ["train", "train", "test"],
        "embedding": [b"1", b"2", None],
    }
    listing = listing_of(table(pictures, columns))

    assert answers(listing) == {"a.png": "cat", "b.png": "dog", "猫.png": "cat"}
    assert parts(listing) == {"a.png": "train", "b.png": "train", "猫.png": "test"}


def test_columns_can_be_named(pictures: Path) -> None:
    path = table(pictures, {"where": ["a.png", "b.png"], "what": ["cat", "dog"], "label": ["no", "neither"]})

    assert answers(listing_of(path, columns={"path": "where", "label": "what"})) == {"a.png": "cat", "b.png": "dog"}


def test_a_row_without_a_label_is_listed(pictures: Path) -> None:
    path = table(pictures, {"path": ["a.png", "b.png", "c.png"], "label": [1.0, None, 2.0]})
    listing = listing_of(path)

    assert answers(listing) == {"a.png": "1", "c.png": "2"}
    assert [name for name, _ in listing.skipped] == ["b.png"]


def test_several_of_them_are_parts(pictures: Path) -> None:
    table(pictures, {"path": ["a.png", "b.png"], "label": ["cat", "dog"]}, "train-00000-of-00001.parquet")
    table(pictures, {"path": ["c.png"], "label": ["dog"]}, "test-00000-of-00001.parquet")

    assert parts(listing_of(pictures)) == {"a.png": "train", "b.png": "train", "c.png": "test"}


def test_pictures_in_the_table_itself_are_not_taken_for_paths(pictures: Path) -> None:
    path = table(pictures, {"image": [{"bytes": b"1", "path": "a.png"}], "label": ["cat"]})

    with pytest.raises(DataRefusedError, match=r"the column 'image' holds the pictures themselves.*--data hf:FOLDER"):
        listing_of(path)


def test_a_damaged_one_is_named(pictures: Path) -> None:
    path = table(pictures, {"path": ["a.png", "b.png"], "label": ["cat", "dog"]})
    content = path.read_bytes()
    for length in range(4, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(DataRefusedError, match=r"labels\.parquet: this is no table in Parquet, or a damaged one"):
            listing_of(path)


@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=8))
def test_any_bytes_are_rows_or_a_sentence(flips: list[tuple[int, int]]) -> None:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"path": ["a.png", "b.png"], "label": ["cat", "dog"]}), stream)
    content = bytearray(stream.getvalue())
    for place, change in flips:
        content[place % len(content)] ^= change

    with suppress(DataRefusedError):
        assert all(isinstance(field, str) for _, row in parquet_rows(io.BytesIO(content), "table") for field in row)
