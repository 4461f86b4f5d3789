"""Shards: what the library webdataset reads, with the same images, labels and parts as what was written."""

from __future__ import annotations

import gc
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import webdataset
from PIL import Image

import honshi
from honshi.data.batches import Batches
from honshi.data.shards import Sharded, write_shards, writing
from honshi.data.shards.images import _opened
from honshi.data.split import load_again
from honshi.errors import DataError, RequestError, SealedError
from honshi.training.distributed import SharedBatches, World


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """120 pictures in colour, of noise, in three classes."""
    draws = np.random.default_rng(0)
    for place in range(120):
        path = tmp_path / "pictures" / ("ant", "bee", "cat")[place % 3] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 256, (9, 11, 3), dtype=np.uint8)).save(path)
    return tmp_path / "pictures"


@pytest.fixture
def written(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[honshi.Splits[Any], Path]:
    """What was written, and the shards, of which there are several."""
    monkeypatch.setattr(writing, "MOST_IMAGES", 16)
    splits: honshi.Splits[Any] = honshi.load(str(pictures), val=0.2, size=8)
    write_shards(splits, tmp_path / "shards")
    return splits, tmp_path / "shards"


def content(images: Any) -> set[tuple[bytes, int]]:
    pixels = images.gather(torch.arange(len(images)))
    return {(bytes(one.numpy()), int(label)) for one, label in zip(pixels, images.labels, strict=True)}


def test_the_parts_come_back(written: tuple[honshi.Splits[Any], Path]) -> None:
    splits, folder = written
    again: honshi.Splits[Any] = honshi.load(str(folder))

    assert again.manifest.to_dict() == json.loads(json.dumps(splits.manifest.to_dict()))
    assert (again.train.classes, again.train.shape) == (("ant", "bee", "cat"), (3, 8, 8))
    assert again.train.contract == splits.train.contract
    for ours, theirs in ((again.train, splits.train), (again.val, splits.val)):
        assert content(ours) == content(theirs)
        assert ours.identity == theirs.identity
    assert torch.equal(again.val.labels, splits.val.labels)


# The library leaves a shard to the garbage collector to be closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_library_alone_reads_the_same(written: tuple[honshi.Splits[Any], Path]) -> None:
    splits, folder = written
    files = sorted(map(str, folder.glob("train-*.tar")))
    assert len(files) > 3

    read = webdataset.WebDataset(files, shardshuffle=False).decode("pil").to_tuple("png", "cls")
    found = {(np.asarray(png).transpose(2, 0, 1).tobytes(), int(label)) for png, label in read}

    del read
    gc.collect()

    assert found == content(splits.train)


def test_keys_have_no_dot_and_each_shard_has_several_classes(written: tuple[honshi.Splits[Any], Path]) -> None:
    for path in written[1].glob("train-*.tar"):
        with tarfile.open(path) as tar:
            keys = {name.rsplit(".", 1)[0] for name in tar.getnames()}
            labels = {tar.extractfile(name).read() for name in tar.getnames() if name.endswith(".cls")}  # type: ignore[union-attr]
        assert all("." not in key and len(key) <= 128 for key in keys)
        assert len(labels) == 3 or len(keys) < 8


@pytest.mark.parametrize("at_once", [1, 20, 10_000])
def test_an_epoch_has_each_image_once_with_its_label(
    written: tuple[honshi.Splits[Any], Path], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    train: Any = honshi.load(str(written[1])).train
    assert isinstance(train, Sharded)
    monkeypatch.setattr("honshi.data.batches.HELD_BYTES", at_once * 3 * 8 * 8)
    batches = Batches(train, 7, shuffle=torch.Generator().manual_seed(0))

    epochs = [[(inputs, labels) for inputs, labels in batches] for _ in range(2)]

    for epoch in epochs:
        seen = torch.cat([inputs for inputs, _ in epoch])
        labels = torch.cat([labels for _, labels in epoch])
        expected = train.normalization(train.gather(torch.arange(len(train))))
        places = [int((expected - one).abs().flatten(1).sum(1).argmin()) for one in seen]
        assert sorted(places) == list(range(len(train)))
        assert torch.equal(labels, train.labels[places])
        assert torch.equal(seen, expected[places])
    assert not torch.equal(epochs[0][0][0], epochs[1][0][0])


@pytest.mark.parametrize(("size", "batch_size"), [(2, 7), (3, 16), (5, 5)])
def test_several_processes_read_each_image_once_and_few_shards_each(
    written: tuple[honshi.Splits[Any], Path], size: int, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written[1]
    train: Any = honshi.load(str(folder)).train
    monkeypatch.setattr("honshi.data.batches.HELD_BYTES", 16 * 3 * 8 * 8)
    opened: dict[int, list[str]] = {rank: [] for rank in range(size)}
    epochs = []
    for rank in range(size):
        shuffle = torch.Generator().manual_seed(0)
        batches = SharedBatches(train, batch_size, World(rank, size), shuffle=shuffle)
        monkeypatch.setattr("honshi.data.shards.images._opened", counting(opened[rank]))
        epochs.append(list(batches))

    steps = [[len(labels) for _, labels in epoch] for epoch in epochs]
    assert {len(epoch) for epoch in steps} == {-(-len(train) // batch_size)}
    assert sum(map(sum, steps)) == len(train)
    seen = {bytes(one.numpy()) for epoch in epochs for inputs, _ in epoch for one in inputs}
    assert seen == {bytes(one.numpy()) for one in train.normalization(train.gather(torch.arange(len(train))))}
    # One more than its share of them, where a cut goes through a shard at either end.
    files = len(list(folder.glob("train-*.tar")))
    assert all(len(names) <= -(-files // size) + 1 for names in opened.values())


def counting(names: list[str]) -> Callable[[Path, Sequence[str]], Any]:
    """Opens shards, and notes which."""

    def opened(folder: Path, files: Sequence[str]) -> Any:
        names.extend(files)
        return _opened(folder, files)

    return opened


def test_some_of_the_images_are_read_like_all(written: tuple[honshi.Splits[Any], Path]) -> None:
    train: Any = honshi.load(str(written[1])).train
    some = train.subset([5, 60, 2, 33])

    (inputs, labels), *_ = Batches(some, 4, shuffle=torch.Generator().manual_seed(1))

    expected = {bytes(one.numpy()) for one in some.normalization(some.gather(torch.arange(4)))}
    assert {bytes(one.numpy()) for one in inputs} == expected
    assert sorted(labels.tolist()) == sorted(some.labels.tolist())


def test_the_exam_stays_where_it_was(written: tuple[honshi.Splits[Any], Path], pictures: Path) -> None:
    splits: honshi.Splits[Any] = honshi.load(str(written[1]))

    with pytest.raises(SealedError):
        len(splits.test)
    with pytest.raises(DataError, match=r"not among the shards\. Sit it where the data are"):
        honshi.test(honshi.models.CNN(3, (4,), 3), splits.test)
    again: honshi.Splits[Any] = load_again(str(pictures), splits.manifest)
    assert content(again.train) == content(splits.train)


def test_a_folder_that_is_called_as_a_data_set_is_does_not_take_its_place(
    written: tuple[honshi.Splits[Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written[1].parent)
    written[1].rename(written[1].parent / "mnist")

    assert len(honshi.load("mnist").train.classes) == 10
    assert len(honshi.load("./mnist").train.classes) == 3


def test_another_division_cannot_be_asked_for(written: tuple[honshi.Splits[Any], Path]) -> None:
    for options in ({"size": 4}, {"subset": 10}, {"drop_leaks": True}, {"val": 0.3}, {"seed": 4}):
        with pytest.raises(RequestError, match="are shards"):
            honshi.load(str(written[1]), **options)
    lecture: honshi.Splits[Any] = honshi.load(str(written[1]), normalize=(0.5, 0.5))
    assert lecture.train.normalization.mean == (0.5,)


def test_a_folder_that_holds_anything_is_not_written_into(written: tuple[honshi.Splits[Any], Path]) -> None:
    splits, folder = written
    before = sorted(path.name for path in folder.iterdir())

    with pytest.raises(RequestError, match="a new folder, or an empty one"):
        write_shards(splits, folder)

    assert sorted(path.name for path in folder.iterdir()) == before


def test_what_was_ended_leaves_nothing(written: tuple[honshi.Splits[Any], Path], tmp_path: Path) -> None:
    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(written[0], tmp_path / "others", tell=interrupted)

    assert not list(tmp_path.glob("*others*"))


def cut(folder: Path) -> None:
    path = max(folder.glob("train-*.tar"))
    path.write_bytes(path.read_bytes()[:1500])


def missing(folder: Path) -> None:
    max(folder.glob("train-*.tar")).unlink()


def relabelled(folder: Path) -> None:
    path = max(folder.glob("train-*.tar"))
    content = bytearray(path.read_bytes())
    place = content.index(b".cls") // 512 * 512 + 512
    content[place : place + 1] = str((int(content[place : place + 1]) + 1) % 3).encode()
    path.write_bytes(content)


def scrambled(folder: Path) -> None:
    path = max(folder.glob("train-*.tar"))
    content = bytearray(path.read_bytes())
    place = content.index(b"IDAT") + 20
    content[place] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, missing, relabelled, scrambled])
def test_a_damaged_shard_is_named(written: tuple[honshi.Splits[Any], Path], damage: Callable[[Path], None]) -> None:
    damage(written[1])
    train: Any = honshi.load(str(written[1])).train

    with pytest.raises(DataError, match=r"train-\d+\.tar"):
        list(Batches(train, 8, shuffle=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("shards.json", "{}"),
        ("shards.json", ""),
        ("shards.json", '{"format": "honshi shards 99"}'),
        ("train.npz", ""),
        ("val.npz", "PK"),
    ],
)
def test_a_damaged_index_is_a_sentence(written: tuple[honshi.Splits[Any], Path], file: str, text: str) -> None:
    (written[1] / file).write_text(text)

    with pytest.raises(DataError, match=file.replace(".", r"\.")):
        honshi.load(str(written[1]))


def test_without_the_library_it_is_said_how_to_have_it(
    written: tuple[honshi.Splits[Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("honshi.data.shards.images.find_spec", lambda _: None)

    with pytest.raises(DataError, match=r"pip install 'honshi\[shards\]'"):
        honshi.load(str(written[1]))
