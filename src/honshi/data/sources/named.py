"""From what ``--data`` says to labelled images: a name, or ``idx:FOLDER``."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from honshi.data import fashion_mnist, idx, mnist
from honshi.data.copies import shared_places
from honshi.data.examples import Examples
from honshi.data.images import Images
from honshi.data.sealed import Sealed
from honshi.errors import DataError, DataNotFoundError
from honshi.files import is_file, is_folder
from honshi.messages import Message


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


def open_source(name: str, *, gaps: bool = False) -> Source:
    """Read the training images of a data set and seal its test images.

    Args:
        name: ``mnist``, ``fashion-mnist``, or ``idx:FOLDER`` for a folder with four IDX files.
        gaps: make a class of each number below the largest label, also of one that no image has.

    Raises:
        DataNotFoundError: there is no such data set or folder.
        DataError: its files are damaged or could not be fetched.
    """
    if not isinstance(name, str):
        raise DataNotFoundError(
            "A data set has a name, one of {names}, or idx:FOLDER; {name!r} is none.", name=name, names=", ".join(NAMED)
        )
    name = lasting_name(name)
    if name.startswith("idx:"):
        folder = Path(name.removeprefix("idx:"))
        return _from_idx(name, f"idx:{folder.name}", folder, None, gaps)
    if name in NAMED:
        find_folder, classes = NAMED[name]
        return _from_idx(name, name, find_folder(), classes, gaps)
    raise DataNotFoundError(
        "There is no data set called {name!r}.{hint} --data takes {names}, or idx:FOLDER.",
        name=name,
        hint=_hint(name),
        names=", ".join(NAMED),
    )


def lasting_name(name: str) -> str:
    """The same data set by a name that holds from every working directory.

    Raises:
        DataNotFoundError: no folder can have that name.
    """
    if not name.startswith("idx:"):
        return name
    try:
        folder = Path(name.removeprefix("idx:")).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise DataNotFoundError("{name!r}: there is no such folder ({problem}).", name=name, problem=problem) from error
    return f"idx:{folder}"


def _hint(name: str) -> Message:
    path = Path(name)
    if name and is_folder(path):
        return Message(" {name} is a folder: for one with the four IDX files, write idx:{name}.", name=name)
    close = difflib.get_close_matches(name, NAMED, n=1)
    if close:
        return Message(" Did you mean {close!r}?", close=close[0])
    if is_file(path) or path.suffix:
        return Message(" Files of the kind {suffix!r} are not read: IDX is the one format.", suffix=path.suffix)
    return Message("")


# The data sets that have a name: where their folder is, and what their classes are called.
NAMED: dict[str, tuple[Callable[[], Path], tuple[str, ...]]] = {
    "mnist": (lambda: mnist.FOLDER, mnist.CLASSES),
    "fashion-mnist": (fashion_mnist.find_folder, fashion_mnist.CLASSES),
}


def _from_idx(name: str, title: str, folder: Path, classes: tuple[str, ...] | None, gaps: bool) -> Source:
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
