"""What a source names before anything is read."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from honshi.data.listing import TEST, TRAIN, UNLABELLED, Files, Listing, Skipped
from honshi.messages import Message


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    names = ["train/2/a.png", "train/10/b.png", "train/10/c.png", "test/d.png"]
    return Listing(
        name=str(tmp_path),
        title=tmp_path.name,
        kind=Message("a folder"),
        names=names,
        labels=np.array([0, 1, 1, UNLABELLED], np.int32),
        classes=("2", "10"),
        parts=np.array([TRAIN, TRAIN, TRAIN, TEST], np.int8),
        stamps=np.zeros((4, 2), np.int64),
        opener=Files(tmp_path, names),
        skipped=(Skipped("notes.txt", Message("no picture")),),
    )


def test_it_has_as_many_as_it_names(listing: Listing) -> None:
    assert len(listing) == 4


def test_a_picture_is_opened_by_its_place(listing: Listing, tmp_path: Path) -> None:
    assert listing.open(1) == tmp_path / "train" / "10" / "b.png"


def test_classes_are_counted_in_all_or_in_one_part_and_pictures_without_a_label_in_none(listing: Listing) -> None:
    assert listing.counts() == listing.counts(TRAIN) == [1, 2]
    assert listing.counts(TEST) == [0, 0]


def test_what_was_passed_over_is_a_name_and_a_reason(listing: Listing) -> None:
    ((name, why),) = listing.skipped
    assert (name, str(why)) == ("notes.txt", "no picture")


def test_it_goes_to_other_processes(listing: Listing) -> None:
    there = pickle.loads(pickle.dumps(replace(listing, groups=["a", "a", "b", ""])))  # noqa: S301  # its own
    assert there.open(3) == listing.open(3)
    assert there.groups == ["a", "a", "b", ""]
