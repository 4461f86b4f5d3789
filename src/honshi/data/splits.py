"""Training, validation and test part of a data set, and what there is to say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from torch import Tensor
from typing_extensions import TypeVar

from honshi.data.examples import Examples
from honshi.data.images import Images
from honshi.data.manifest import Changes, Manifest
from honshi.data.sealed import Sealed
from honshi.messages import Message

# What kind of examples a split divides; where nothing is said of it, images in memory.
E = TypeVar("E", bound=Examples, default=Images, covariant=True)


@dataclass(frozen=True)
class Told:
    """What is said of the data before a training.

    Attributes:
        about: what; of what goes on with the line before, nothing.
        texts: one below the other.
    """

    about: Message | None
    texts: tuple[Message, ...]


@dataclass(frozen=True)
class Splits(Generic[E]):
    """The three parts of a data set.

    Attributes:
        train: what the model learns from.
        val: the mock exam, for every decision; the training images themselves where ``manifest.by_folds``.
        test: the real exam, sealed; only `honshi.test` opens it.
        manifest: which images went where.
        units: of the training images, int64 (n,), equal where they belong together; None where nobody knows.
        names: of the training images, as one knows each; empty where they have none.
        told: what is said of them before a training, where they are someone's own pictures.
        notes: what gives to think about in them.
        changes: what has become of the pictures since a run was begun; None where nobody looked.
        exam_size: pictures in the test part, where that is known without looking at them.
        unlabelled: names of the test pictures that have no label, as those of a competition.
    """

    train: E
    val: E
    test: Sealed
    manifest: Manifest
    units: Tensor | None = None
    names: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()
    notes: tuple[Message, ...] = ()
    changes: Changes | None = None
    exam_size: int | None = None
    unlabelled: tuple[str, ...] = ()
