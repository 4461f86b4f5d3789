"""Data sets of the Hugging Face Hub: read by its own library, here from folders in the form that it downloads."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image
from tests.data.sources.made import said

import honshi
from honshi.data.listing import TEST, TRAIN, UNLABELLED, VAL, Listing
from honshi.data.sources import open_source
from honshi.errors import DataError, DataNotFoundError, DataRefusedError, RequestError

CLASSES = ["zero", "one", "two"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library would keep in the user's own folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def grey(value: int) -> Image.Image:
    return Image.fromarray(np.full((4, 5), value, np.uint8))


def publish(folder: Path, split: str, labels: Sequence[int | None], **others: Sequence[Any]) -> None:
    """A split as the Hub keeps it: pictures, classes by number, and what else is said of each."""
    columns = {"image": [grey(10 * place % 251) for place in range(len(labels))], "label": labels, **others}
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=CLASSES),
            **{name: datasets.Value("string") for name in others},
        }
    )
    datasets.Dataset.from_dict(columns, features=features).to_parquet(
        folder / "data" / f"{split}-00000-of-00001.parquet"
    )


def opened(folder: Path, **options: Any) -> Listing:
    listing = open_source(f"hf:{folder}", **options)
    assert isinstance(listing, Listing)
    return listing


def test_its_splits_are_the_parts_and_its_classes_have_their_names(tmp_path: Path) -> None:
    publish(tmp_path / "digits", "train", [0, 1, 2, 2])
    publish(tmp_path / "digits", "validation", [1])
    publish(tmp_path / "digits", "test", [2, 0])
    listing = opened(tmp_path / "digits")

    assert listing.title == "digits"
    assert listing.parts.tolist() == [TRAIN] * 4 + [VAL] + [TEST] * 2
    assert [listing.classes[label] for label in listing.labels] == ["zero", "one", "two", "two", "one", "two", "zero"]
    assert listing.names[3:6] == ["train[3]", "validation[0]", "test[0]"]


def test_each_picture_is_opened_by_its_place_also_in_another_process(tmp_path: Path) -> None:
    publish(tmp_path / "digits", "train", [0, 1, None, 2])
    publish(tmp_path / "digits", "test", [2, 0])
    listing = opened(tmp_path / "digits")
    elsewhere = pickle.loads(pickle.dumps(listing.opener))  # noqa: S301 - as a worker gets it

    for opener in (listing.opener, elsewhere):
        raws = [opener(place) for place in range(len(listing))]
        seen = [int(np.asarray(Image.open(io.BytesIO(raw)))[0, 0]) for raw in raws if isinstance(raw, bytes)]
        assert seen == [0, 10, 30, 0, 10]
    assert [name for name, _ in listing.skipped] == ["train[2]"]


def test_it_is_trained_on_like_any_other_source(tmp_path: Path) -> None:
    publish(tmp_path / "digits", "train", [place % 3 for place in range(30)])
    publish(tmp_path / "digits", "test", [place % 3 for place in range(12)])
    splits = honshi.load(f"hf:{tmp_path / 'digits'}")

    assert splits.train.classes == ("one", "two", "zero")
    assert len(splits.train) + len(splits.val) == 30
    assert splits.test.shape == (1, 4, 5)


def test_a_test_split_whose_labels_are_kept_back_is_a_competitions(tmp_path: Path) -> None:
    publish(tmp_path / "digits", "train", [0, 1, 2])
    publish(tmp_path / "digits", "test", [-1, -1])
    listing = opened(tmp_path / "digits")

    assert listing.labels[-2:].tolist() == [UNLABELLED] * 2
    assert "The 2 pictures of the test part have no labels" in said(listing)


def test_a_split_that_is_no_part_is_not_read_and_that_is_said(tmp_path: Path) -> None:
    publish(tmp_path / "digits", "train", [0, 1, 2])
    publish(tmp_path / "digits", "extra", [0, 1])
    listing = opened(tmp_path / "digits")

    assert len(listing) == 3
    assert "The 2 rows of 'extra' are not read" in said(listing)


def test_a_column_of_groups_is_known_by_its_name_and_others_when_they_are_named(tmp_path: Path) -> None:
    publish(tmp_path / "digits", "train", [0, 1, 2], patient=["a", "a", "b"], fine=["x", "y", "x"])

    assert opened(tmp_path / "digits").groups == ["a", "a", "b"]
    named = opened(tmp_path / "digits", columns={"label": "fine", "group": "label"})
    assert (named.classes, named.groups) == (("x", "y"), ["0", "1", "2"])


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"label": "colour"}, "there is no column 'colour'; the columns are image, label"),
        ({"split": "label"}, "has splits of its own"),
    ],
)
def test_a_column_that_is_not_there_is_refused(tmp_path: Path, columns: dict[str, str], problem: str) -> None:
    publish(tmp_path / "digits", "train", [0, 1, 2])

    with pytest.raises(RequestError, match=problem):
        opened(tmp_path / "digits", columns=columns)


def test_a_column_that_holds_no_pictures_is_refused(tmp_path: Path) -> None:
    publish(tmp_path / "digits", "train", [0, 1, 2])

    with pytest.raises(DataRefusedError, match="not certain which column is the path; the columns are image"):
        opened(tmp_path / "digits", columns={"path": "label"})


def test_what_the_library_cannot_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: the library datasets cannot read it: .*any data files"):
        opened(tmp_path / "empty")
    with pytest.raises(DataNotFoundError, match="hf: wants the name of a data set behind it"):
        open_source("hf:")


def test_without_the_library_it_is_said_how_to_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("honshi.data.sources.hub.find_spec", lambda _: None)

    with pytest.raises(DataError, match=r"pip install 'honshi\[hub\]'"):
        opened(tmp_path)
