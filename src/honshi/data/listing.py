"""Labelled pictures that a source names, not read yet: what is there, as columns, and how one of them is opened.

No object is made for a picture, so that a hundred thousand of them are listed in less than half a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from honshi.messages import Message

# The part of a picture, as its source has published it.
UNDIVIDED, TRAIN, VAL, TEST = range(4)
# The label of a picture that has none.
UNLABELLED = -1

# A picture as it lies there: a file, the bytes of an encoded one, or raw pixels (h, w) or (h, w, c) of any type of
# number.
Raw: TypeAlias = "Path | bytes | NDArray[Any]"
# Opens a picture of a listing by its place. It can be pickled, and several threads and processes may ask at once.
Opener: TypeAlias = Callable[[int], "Raw"]


class Skipped(NamedTuple):
    """Something that was passed over.

    Attributes:
        name: as in `Listing.names`.
        why: a sentence.
    """

    name: str
    why: Message


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """Labelled pictures that a source names, not read yet. n pictures.

    Attributes:
        name: what ``--data`` calls it, from any working directory.
        title: what it is called where people read it, without the way to it.
        kind: what it was taken for, to be said: "a folder of class folders".
        names: n texts, each as a person knows the picture: its path from the root with "/", or ``train.npz[17]``.
        labels: int32 (n,), each a place in the classes, or `UNLABELLED`, which only pictures to be tested have.
        classes: names as text, in natural order (2 before 10); never renumbered because one is missing somewhere.
        parts: int8 (n,), `UNDIVIDED`, `TRAIN`, `VAL` or `TEST`, as the source has published them.
        groups: n texts, or None: pictures of one group never cross a split; those of the empty text are in none.
        stamps: int64 (n, 2), size in bytes and time of the last change in ns of the file that holds the picture (an
            archive, an array), to see cheaply whether it has changed.
        skipped: what was passed over, and why.
        notes: what is worth saying.
        opener: what `open` asks.
    """

    name: str
    title: str
    kind: Message
    names: Sequence[str]
    labels: NDArray[np.int32]
    classes: tuple[str, ...]
    parts: NDArray[np.int8]
    stamps: NDArray[np.int64]
    opener: Opener
    groups: Sequence[str] | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[Message, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def open(self, place: int) -> Raw:
        """A picture as it lies there: a file's path, the bytes of an encoded picture, or raw pixels (h, w[, c]).

        Raises:
            ImageError: it cannot be taken out of what holds it.
        """
        return self.opener(place)

    def counts(self, part: int | None = None) -> list[int]:
        """How many labelled pictures each class has, in one part or in all."""
        labels = self.labels if part is None else self.labels[self.parts == part]
        return [int(count) for count in np.bincount(labels[labels >= 0], minlength=len(self.classes))]


@dataclass(frozen=True)
class Files:
    """Opens pictures that are files of their own.

    Attributes:
        root: the folder that names begin in.
        names: of the pictures, as in `Listing.names`.
    """

    root: Path
    names: Sequence[str]

    def __call__(self, place: int) -> Path:
        return self.root / self.names[place]


def chosen(listing: Listing, places: NDArray[np.int64]) -> Listing:
    """Some of the pictures of a listing, in this order."""
    groups = listing.groups
    return replace(
        listing,
        names=[listing.names[place] for place in places.tolist()],
        labels=listing.labels[places],
        parts=listing.parts[places],
        stamps=listing.stamps[places],
        groups=None if groups is None else [groups[place] for place in places.tolist()],
        opener=_Chosen(listing.opener, places),
    )


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Opens some of the pictures that another one opens."""

    opener: Opener
    places: NDArray[np.int64]

    def __call__(self, place: int) -> Raw:
        return self.opener(int(self.places[place]))
