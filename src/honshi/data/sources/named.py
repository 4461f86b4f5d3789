"""Data sets that have a name, and folders with four IDX files: divided as they were published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from honshi.data import fashion_mnist, idx, mnist
from honshi.data.copies import shared_places
from honshi.data.examples import Examples
from honshi.data.images import Images
from honshi.data.sealed import Sealed
from honshi.errors import DataError
from honshi.files import is_file


@dataclass(frozen=True)
class Source:
    """A data set with its own division into training and test, as it was published.

    Attributes:
        name: what ``--data`` calls it, from any working directory.
        title: what it is called where people read it: without the way to its folder.
        train: the published training images.
        test: the published test images, sealed.
    """

    name: str
    title: str
    train: Images
    test: Sealed


# What tells that a folder holds shards (`honshi.data.shards.layout`).
SHARDS_INDEX = "shards.json"
# The data sets that have a name: where their folder is, and what their classes are called.
NAMED: dict[str, tuple[Callable[[], Path], tuple[str, ...]]] = {
    "mnist": (lambda: mnist.FOLDER, mnist.CLASSES),
    "fashion-mnist": (fashion_mnist.find_folder, fashion_mnist.CLASSES),
}


def from_idx(name: str, title: str, folder: Path, classes: tuple[str, ...] | None, gaps: bool) -> Source:
    """Read the training images of a folder with four IDX files and seal its test images.

    Args:
        name, title: as in `Source`.
        folder: with the files.
        classes: what they are called; where left out, by the labels that there are.
        gaps: make a class of each number below the largest label, also of one that no image has.

    Raises:
        DataNotFoundError: there is no such folder, or a file is missing.
        DataError: the files are damaged.
    """
    files = idx.find_files(folder)
    test_shape = idx.pair_shape(files["test", "images"], files["test", "labels"])
    train = idx.read_pair(files["train", "images"], files["train", "labels"], classes, gaps=gaps)
    if train.shape != test_shape:
        raise DataError(
            "{path}: the test images are {test} pixels and the training images {train}: bring both to one size.",
            path=files["test", "images"],
            test="×".join(map(str, test_shape[1:])),
            train="×".join(map(str, train.shape[1:])),
        )
    # By themselves, so that the sealed test set does not keep the training images alive.
    known, numbers = train.classes, train.numbers

    def read_test() -> Images:
        return idx.read_pair(files["test", "images"], files["test", "labels"], known, numbers)

    def shared(images: Examples) -> list[int]:
        return shared_places(images, read_test())

    return Source(name, title, train, Sealed(title, read_test, shape=test_shape, shared=shared))


def is_published(name: str) -> bool:
    """Whether data come with parts and a shape of their own: they have a name, are IDX files that are named
    so, or shards."""
    return name in NAMED or name.startswith("idx:") or is_sharded(name)


def is_sharded(name: str | PathLike[str]) -> bool:
    """Whether that is the path of a folder of shards; what is called as a data set is that data set."""
    return bool(name) and name not in NAMED and is_file(Path(name) / SHARDS_INDEX)
