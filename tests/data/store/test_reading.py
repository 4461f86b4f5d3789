"""A listing becomes a file of pixels once; what changes is read, and only that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.store.pictures import age, draw, listed

from honshi.data import Images
from honshi.data.listing import Listing
from honshi.data.store import Form, Mapped, Reading, Settings, contents, ingest
from honshi.data.store import workers as decoding_room
from honshi.errors import DataError, RequestError
from honshi.messages import Message
from honshi.pictures.prepare import prepare


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw(tmp_path / "pets")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that are decoded from now on."""
    names: list[str] = []
    decode: Callable[..., object] = decoding_room.decode  # type: ignore[attr-defined]

    def noted(pictures: list[tuple[int, str, object]], contract: object) -> object:
        names.extend(name for _, name, _ in pictures)
        return decode(pictures, contract)

    monkeypatch.setattr(decoding_room, "decode", noted)
    return names


def pixels_of(images: Mapped) -> torch.Tensor:
    return images.gather(torch.arange(len(images)))


def test_pictures_are_what_the_one_reader_makes_of_them(folder: Path) -> None:
    listing = listed(folder)

    images = ingest(listing)

    assert images.shape == (3, 8, 9)
    assert images.names == list(listing.names)
    assert images.labels.tolist() == listing.labels.tolist()
    assert images.classes == ("cat", "dog")
    for place, name in enumerate(images.names):
        assert torch.equal(pixels_of(images)[place], prepare(folder / name, images.form.contract))


def test_they_have_the_digests_of_the_same_images_in_memory(folder: Path) -> None:
    images = ingest(listed(folder))
    in_memory = Images(pixels=pixels_of(images), labels=images.labels, classes=images.classes)

    assert np.array_equal(images.digests, in_memory.digests)
    assert images.identity == in_memory.identity
    assert images.in_memory().identity == in_memory.identity


def test_what_is_unchanged_is_not_read_again(folder: Path, decoded: list[str]) -> None:
    ingest(listed(folder))
    assert len(decoded) == 6
    for path in folder.rglob("*.png"):
        times = path.stat().st_mtime_ns
        path.write_bytes(bytes(path.stat().st_size))
        import os

        os.utime(path, ns=(times, times))

    images = ingest(listed(folder))

    assert len(decoded) == 6
    assert len(images) == 6


def test_one_changed_picture_is_read_and_no_other(folder: Path, decoded: list[str]) -> None:
    before = pixels_of(ingest(listed(folder)))
    decoded.clear()
    Image.new("RGB", (9, 8), "red").save(folder / "cat/2.png")
    age(folder / "cat/2.png", 60)

    images = ingest(listed(folder))

    assert decoded == ["cat/2.png"]
    place = images.names.index("cat/2.png")
    assert pixels_of(images)[place, 0].eq(255).all()
    others = [at for at in range(6) if at != place]
    assert torch.equal(pixels_of(images)[others], before[others])


def test_a_picture_that_was_moved_to_another_class_is_not_decoded_again(folder: Path, decoded: list[str]) -> None:
    before = ingest(listed(folder))
    moved = pixels_of(before)[before.names.index("cat/2.png")]
    decoded.clear()
    (folder / "cat/2.png").rename(folder / "dog/2.png")

    images = ingest(listed(folder))

    assert decoded == []
    place = images.names.index("dog/2.png")
    assert int(images.labels[place]) == 1
    assert torch.equal(pixels_of(images)[place], moved)


def test_an_edited_list_of_classes_is_noticed_and_costs_no_decoding(folder: Path, decoded: list[str]) -> None:
    first = ingest(listed(folder))
    decoded.clear()

    images = ingest(listed(folder, ("dog", "cat")))

    assert decoded == []
    assert images.classes == ("dog", "cat")
    assert [images.classes[label] for label in images.labels] == [first.classes[label] for label in first.labels]


def test_added_and_removed_pictures_are_noticed(folder: Path, decoded: list[str]) -> None:
    ingest(listed(folder))
    decoded.clear()
    (folder / "cat/0.png").unlink()
    Image.new("RGB", (9, 8), "blue").save(folder / "dog/new.png")

    images = ingest(listed(folder))

    assert decoded == ["dog/new.png"]
    assert images.names == listed(folder).names


def test_another_size_is_another_store(folder: Path, decoded: list[str]) -> None:
    ingest(listed(folder))

    images = ingest(listed(folder), Settings(size=4))

    assert images.shape == (3, 4, 4)
    assert len(decoded) == 12
    assert ingest(listed(folder)).shape == (3, 8, 9)
    assert len(decoded) == 12


def test_a_touched_file_is_hashed_and_not_decoded(folder: Path, decoded: list[str]) -> None:
    ingest(listed(folder))
    decoded.clear()
    age(folder / "cat/2.png", 30)

    assert len(ingest(listed(folder))) == 6
    assert decoded == []


def test_a_file_as_young_as_the_reading_is_hashed_again(folder: Path, decoded: list[str]) -> None:
    import os

    path = folder / "cat/2.png"
    Image.new("RGB", (9, 8), (1, 2, 3)).save(path)
    stamp = path.stat()
    ingest(listed(folder))
    decoded.clear()
    path.write_bytes(path.read_bytes().replace(b"IEND", b"IEND"))
    Image.new("RGB", (9, 8), (3, 2, 1)).save(path)
    assert path.stat().st_size == stamp.st_size
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    images = ingest(listed(folder))

    assert decoded == ["cat/2.png"]
    assert pixels_of(images)[images.names.index("cat/2.png"), :, 0, 0].tolist() == [3, 2, 1]


def test_what_cannot_be_read_is_left_out_and_named(folder: Path) -> None:
    (folder / "cat/2.png").write_bytes(b"<html>no picture</html>")
    (folder / "dog/zero.jpg").write_bytes(b"")

    images = ingest(listed(folder))

    assert len(images) == 5
    assert [name for name, _ in images.skipped] == ["cat/2.png", "dog/zero.jpg"]
    assert images.names == ["cat/0.png", "cat/4.png", "dog/1.png", "dog/3.png", "dog/5.png"]
    assert images.labels.tolist() == [0, 0, 1, 1, 1]
    assert str(images.skipped_said).startswith("2 of 7 pictures could not be read")
    again = ingest(listed(folder))
    assert [(name, str(reason)) for name, reason in again.skipped] == [
        (name, str(reason)) for name, reason in images.skipped
    ]
    assert torch.equal(pixels_of(again), pixels_of(images))


def test_a_bad_picture_may_be_asked_to_be_refused(folder: Path) -> None:
    (folder / "cat/2.png").write_bytes(b"no picture")

    with pytest.raises(RequestError, match=r"1 pictures cannot be read.*cat/2\.png"):
        ingest(listed(folder), strict=True)


def test_nothing_but_bad_pictures_is_an_error(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no picture")

    with pytest.raises(DataError, match="none can be read"):
        ingest(listed(folder))
    with pytest.raises(DataError, match="none of 6 pictures can be read"):
        ingest(listed(folder), Form(shape=(1, 8, 8)))


def test_a_bad_picture_that_was_mended_comes_in(folder: Path) -> None:
    good = (folder / "cat/2.png").read_bytes()
    (folder / "cat/2.png").write_bytes(b"no picture")
    assert len(ingest(listed(folder))) == 5
    (folder / "cat/2.png").write_bytes(good)

    images = ingest(listed(folder))

    assert len(images) == 6
    assert images.skipped == []


def test_labels_of_bad_pictures_may_change_without_decoding(folder: Path, decoded: list[str]) -> None:
    (folder / "cat/2.png").write_bytes(b"no picture")
    age(folder / "cat/2.png")
    ingest(listed(folder))
    decoded.clear()

    images = ingest(listed(folder, ("dog", "cat")))

    assert decoded == []
    assert len(images) == 5
    assert [name for name, _ in images.skipped] == ["cat/2.png"]


def test_raw_pixels_are_taken_as_they_are(tmp_path: Path) -> None:
    arrays = np.random.default_rng(0).integers(0, 256, (5, 6, 4), dtype=np.uint8)
    listing = _of_arrays(tmp_path, arrays)

    images = ingest(listing)

    assert torch.equal(pixels_of(images), torch.from_numpy(arrays).unsqueeze(1))


def _of_arrays(tmp_path: Path, arrays: np.ndarray) -> Listing:
    return Listing(
        name=str(tmp_path / "arrays.npz"),
        title="arrays.npz",
        kind=Message("an array"),
        names=[f"arrays.npz[{place}]" for place in range(len(arrays))],
        labels=np.zeros(len(arrays), dtype=np.int32),
        classes=("all",),
        parts=np.zeros(len(arrays), dtype=np.int8),
        stamps=np.ones((len(arrays), 2), dtype=np.int64),
        opener=arrays.__getitem__,
    )


def test_what_a_picture_was_is_told_whatever_its_name_and_size(folder: Path) -> None:
    listing = listed(folder)
    first = contents(listing)
    images = ingest(listing, Settings(size=4))

    assert np.array_equal(images.contents, first)
    (folder / "cat/0.png").rename(folder / "cat/renamed.png")
    names = list(listed(folder).names)
    assert np.array_equal(contents(listed(folder))[names.index("cat/renamed.png")], first[0])


def test_a_part_has_a_file_of_its_own_and_decodes_nothing_that_another_part_has(
    folder: Path, decoded: list[str]
) -> None:
    whole = ingest(listed(folder))
    decoded.clear()
    listing = listed(folder)
    some = replace(
        listing,
        names=listing.names[:2],
        labels=listing.labels[:2],
        parts=listing.parts[:2],
        stamps=listing.stamps[:2],
    )

    test = ingest(some, whole.form, part="test")

    assert decoded == []
    assert test.store.pixels.parent != whole.store.pixels.parent
    assert test.store.pixels.stat().st_size == 2 * whole.form.bytes
    assert torch.equal(pixels_of(test), pixels_of(whole)[:2])


def test_how_far_it_is_is_told(folder: Path) -> None:
    events: list[object] = []

    ingest(listed(folder), tell=events.append)

    readings = [event for event in events if isinstance(event, Reading)]
    assert (readings[0].done, readings[0].total) == (0, 6)
    assert (readings[-1].done, readings[-1].total) == (6, 6)
    assert readings[-1].rate > 0
    assert readings[-1].seconds_left == 0


def test_pictures_without_a_label_are_refused(folder: Path) -> None:
    listing = listed(folder)
    labels = listing.labels.copy()
    labels[3] = -1

    with pytest.raises(RequestError, match=r"dog/1\.png: this picture has no label"):
        ingest(replace(listing, labels=labels))


def test_originals_are_not_touched(folder: Path) -> None:
    def state() -> list[tuple[str, bytes, int]]:
        return [(str(path), path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.png"))]

    before = state()
    ingest(listed(folder))
    assert state() == before
