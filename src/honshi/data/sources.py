"""From what ``--data`` says to labelled images: a name, or ``idx:FOLDER``."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from honshi.data import fashion_mnist, idx, mnist
from honshi.data.images import Images
from honshi.data.sealed import Sealed
from honshi.errors import DataNotFoundError


@dataclass(frozen=True)
class Source:
    """A data set with its own division into training and test, as it was published.

    Attributes:
        name: what ``--data`` calls it, from any working directory.
        train: the published training images.
        test: the published test images, sealed.
    """

    name: str
    train: Images
    test: Sealed


def open_source(name: str) -> Source:
    """Read the training images of a data set and seal its test images.

    Args:
        name: ``mnist``, ``fashion-mnist``, or ``idx:FOLDER`` for a folder with four IDX files.

    Raises:
        DataNotFoundError: there is no such data set or folder.
        DataError: its files are damaged or could not be fetched.
    """
    if name.startswith("idx:"):
        folder = Path(name.removeprefix("idx:")).expanduser().resolve()
        return _from_idx(f"idx:{folder}", folder, None)
    if name in NAMED:
        find_folder, classes = NAMED[name]
        return _from_idx(name, find_folder(), classes)
    close = difflib.get_close_matches(name, NAMED, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    if Path(name).is_dir():
        hint = f" {name} is a folder: for one with the four IDX files, write idx:{name}."
    raise DataNotFoundError(
        f"There is no data set called {name!r}.{hint} --data takes {', '.join(NAMED)}, or idx:FOLDER."
    )


# The data sets that have a name: where their folder is, and what their classes are called.
NAMED: dict[str, tuple[Callable[[], Path], tuple[str, ...]]] = {
    "mnist": (lambda: mnist.FOLDER, mnist.CLASSES),
    "fashion-mnist": (fashion_mnist.find_folder, fashion_mnist.CLASSES),
}


def _from_idx(name: str, folder: Path, classes: tuple[str, ...] | None) -> Source:
    files = idx.find_files(folder)
    train = idx.read_pair(files["train", "images"], files["train", "labels"], classes)
    known = train.classes  # by itself, so that the sealed test set does not keep the training images alive

    def read_test() -> Images:
        return idx.read_pair(files["test", "images"], files["test", "labels"], known)

    return Source(name, train, Sealed(name, read_test))
