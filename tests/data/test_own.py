"""Pictures of one's own: their parts, what is said of them, and that they are found again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.data.folders import CLASSES, class_folders, draw

import honshi
from honshi.data.listing import TEST, TRAIN, VAL
from honshi.data.sealed import unseal
from honshi.data.split import load_again
from honshi.data.store import Mapped
from honshi.errors import DataError, RequestError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    class_folders(tmp_path / "絵", range(80))
    return tmp_path / "絵"


def keys(images: honshi.data.Examples) -> set[bytes]:
    assert images.contents is not None
    return {content.tobytes() for content in images.contents}


def said(splits: honshi.Splits) -> str:
    return "\n".join(str(text) for one in splits.told for text in one.texts) + "\n" + "\n".join(map(str, splits.notes))


def test_a_folder_of_class_folders_has_three_parts_that_share_nothing(folder: Path) -> None:
    splits = honshi.load(str(folder))
    parts = [keys(part) for part in (splits.train, splits.val, unseal(splits.test))]
    assert [len(part) for part in parts] == [61, 7, 12]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert splits.train.classes == CLASSES
    assert splits.exam_size == 12
    assert "a folder of class folders: 80 pictures in 2 classes" in said(splits)


def test_what_is_sealed_stays_so_at_another_size_seed_and_share_and_place(folder: Path) -> None:
    sealed = keys(unseal(honshi.load(str(folder)).test))
    moved = folder.rename(folder.with_name("moved"))
    (moved / CLASSES[0]).rename(moved / "まる")
    splits = honshi.load(str(moved), size=16, fit="stretch", test=0.5, seed=3)
    assert keys(unseal(splits.test)) == sealed
    assert "--test 0.5 changes nothing" in said(splits)
    assert splits.train.contract.fit == "stretch"
    assert splits.train.shape == (3, 16, 16)


def test_pictures_that_are_added_are_divided_in_the_same_proportion(folder: Path) -> None:
    before = honshi.load(str(folder))
    sealed, learnt = keys(unseal(before.test)), keys(before.train) | keys(before.val)
    class_folders(folder, range(100, 180))
    after = honshi.load(str(folder))
    assert keys(unseal(after.test)) > sealed
    assert keys(after.train) | keys(after.val) > learnt
    assert len(keys(unseal(after.test))) == 24


def test_published_parts_are_taken_as_they_are(tmp_path: Path) -> None:
    for part, numbers in (("train", range(40)), ("valid", range(40, 50)), ("test", range(50, 60))):
        class_folders(tmp_path / "data" / part, numbers)
    splits = honshi.load(str(tmp_path / "data"))
    assert [len(splits.train), len(splits.val), len(unseal(splits.test))] == [40, 10, 10]
    assert "10 pictures, as published" in said(splits)


def test_the_published_test_part_is_not_read_before_the_exam(tmp_path: Path) -> None:
    for part, numbers in (("train", range(40)), ("test", range(50, 60))):
        class_folders(tmp_path / "data" / part, numbers)
    for file in (tmp_path / "data" / "test").rglob("*.*"):
        file.write_bytes(b"nothing")
    splits = honshi.load(str(tmp_path / "data"))
    assert len(splits.train) + len(splits.val) == 40
    with pytest.raises(DataError):
        unseal(splits.test)


def test_no_sealed_picture_is_gathered_before_the_exam(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = keys(unseal(honshi.load(str(folder)).test))
    gather = Mapped.gather

    def guarded(self: Mapped, places, device=None):  # type: ignore[no-untyped-def]
        assert not {self.contents[place].tobytes() for place in places.tolist()} & sealed
        return gather(self, places, device)

    monkeypatch.setattr(Mapped, "gather", guarded)
    splits = honshi.load(str(folder))
    load_again(str(folder), splits.manifest)
    with pytest.raises(AssertionError):
        unseal(splits.test)


def test_test_pictures_without_labels_are_a_competitions(tmp_path: Path) -> None:
    class_folders(tmp_path / "data" / "train", range(40))
    for number in range(50, 54):
        draw(tmp_path / "data" / "test" / f"{number}.png", number, CLASSES[0])
    splits = honshi.load(str(tmp_path / "data"))
    assert len(splits.unlabelled) == 4
    assert splits.exam_size == 0
    with pytest.raises(DataError, match="have no labels, as in a competition"):
        unseal(splits.test)


def test_no_group_is_torn_apart_by_any_split(folder: Path) -> None:
    splits = honshi.load(str(folder), group=r"(\d\d)\d\.")  # ten pictures each
    numbers = [
        {name_of(folder, key)[:-1] for key in keys(part)} for part in (splits.train, splits.val, unseal(splits.test))
    ]
    assert all(numbers)
    assert not numbers[0] & numbers[1] | numbers[0] & numbers[2] | numbers[1] & numbers[2]


def name_of(folder: Path, key: bytes) -> str:
    """The number in the name of a picture's file."""
    import hashlib

    names = {hashlib.sha256(file.read_bytes()).digest(): file.stem[-3:] for file in folder.rglob("*.*")}
    return names[key]


def test_copies_that_were_saved_again_are_on_one_side(folder: Path) -> None:
    from PIL import Image

    for file in list(folder.rglob("*.png")):
        Image.open(file).convert("RGB").save(file.with_name(f"{file.stem}again.jpg"), quality=92)
    splits = honshi.load(str(folder))
    train, test = splits.train, unseal(splits.test)
    assert not honshi.data.copies.find_leaks(train, splits.val)
    assert not honshi.data.copies.find_leaks(train, test)


def test_the_parts_of_a_run_are_found_again_whatever_was_added_removed_renamed_and_relabelled(folder: Path) -> None:
    splits = honshi.load(str(folder))
    train, val = keys(splits.train), keys(splits.val)
    test = keys(unseal(splits.test))
    files = {name_of(folder, key): key for key in train}
    gone, other = sorted(files)[0], sorted(files)[1]
    (folder / CLASSES[int(gone) % 2]).joinpath(_file(folder, gone).name).unlink()
    relabelled = _file(folder, other)
    relabelled.rename(folder / CLASSES[1 - int(other) % 2] / "other name.png")
    class_folders(folder, range(200, 205))
    class_folders(folder / ".." / "more", range(300, 301))
    shutil.copytree(folder / ".." / "more" / CLASSES[0], folder / "A new class")

    again = load_again(str(folder), splits.manifest)

    assert again.changes == honshi.data.manifest.Changes(added=5, removed=1, relabelled=1)
    assert keys(again.val) == val
    assert keys(again.train) == train - {files[gone]}
    assert keys(unseal(again.test)) == test
    assert again.train.normalization == splits.train.normalization


def _file(folder: Path, number: str) -> Path:
    (file,) = folder.rglob(f"*{number}.*")
    return file


def test_where_a_part_has_none_left_that_is_said(folder: Path, tmp_path: Path) -> None:
    splits = honshi.load(str(folder))
    class_folders(tmp_path / "others", range(500, 540))
    with pytest.raises(DataError, match="80 of its 80 images are missing"):
        load_again(str(tmp_path / "others"), splits.manifest)


@pytest.mark.parametrize("test", [0, 1, -0.5, True, "many"])
def test_a_share_that_is_none_is_refused(folder: Path, test: float) -> None:
    with pytest.raises(RequestError, match="between 0 and 1"):
        honshi.load(str(folder), test=test)


def test_what_has_its_parts_and_its_shape_takes_none_of_these() -> None:
    with pytest.raises(RequestError, match="leave out size, test"):
        honshi.load("mnist", size=20, test=0.2)


def test_a_subset_is_drawn_from_the_training_part_alone(folder: Path) -> None:
    whole, some = honshi.load(str(folder)), honshi.load(str(folder), subset=20)
    assert len(some.train) == 20
    assert keys(some.train) < keys(whole.train)
    assert keys(some.val) == keys(whole.val)


def test_parts_are_named_in_the_listing(folder: Path) -> None:
    assert len({TRAIN, VAL, TEST}) == 3
    assert np.array(honshi.load(str(folder)).train.class_counts()).min() > 0
