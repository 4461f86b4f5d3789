"""Train, validation and test: the exercises, the mock exam and the real exam.

The published training set is divided by class and by a seed; the published test set stays sealed.
The manifest freezes the division, so that a run can say later exactly which images it has seen.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Generic, Literal, Self

import numpy as np
import torch
from torch import Tensor
from typing_extensions import TypeVar

from honshi.data.examples import Examples
from honshi.data.images import Images
from honshi.data.sealed import Sealed
from honshi.data.sources import open_source
from honshi.errors import RequestError
from honshi.pictures.contract import Normalization


@dataclass(frozen=True)
class Manifest:
    """Which images are in which part; ``split.json`` of a run folder.

    Attributes:
        source: the data set, as ``--data`` takes it.
        seed: of the division.
        val_fraction: as asked for.
        train_size, val_size: images in each part.
        train_sha256, val_sha256: hashes of pixels and labels (`Images.sha256`).
        val_indices: places of the validation images in the published training set, ascending. The
            other places are training images (of which a run may have used a subset).
    """

    source: str
    seed: int
    val_fraction: float
    train_size: int
    val_size: int
    train_sha256: str
    val_sha256: str
    val_indices: list[int]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


# What kind of examples a split divides; where nothing is said of it, images in memory.
E = TypeVar("E", bound=Examples, default=Images, covariant=True)


@dataclass(frozen=True)
class Splits(Generic[E]):
    """The three parts of a data set.

    Attributes:
        train: what the model learns from.
        val: the mock exam, for every decision.
        test: the real exam, sealed; only `honshi.test` opens it.
        manifest: which images went where.
    """

    train: E
    val: E
    test: Sealed
    manifest: Manifest


def load(
    name: str = "mnist",
    *,
    val: float = 0.1,
    seed: int = 0,
    normalize: Literal["train"] | tuple[float, float] = "train",
    subset: int | None = None,
) -> Splits:
    """Read a data set and split it.

    Args:
        name: as ``--data`` takes it: ``mnist``, ``fashion-mnist``, ``idx:FOLDER``.
        val: the fraction of the training set, within (0, 1), that is set aside for validation.
        seed: of the split.
        normalize: ``"train"`` measures mean and deviation of each channel on the training part; a
            pair sets them, (0.5, 0.5) being the lecture's.
        subset: keep only so many training images, drawn by class. The validation part stays whole,
            so that runs on different subsets are measured by the same mock exam.

    Raises:
        DataNotFoundError, DataError: the data set is not there or is damaged.
        RequestError: the split or the subset asks for more than there is.
    """
    source = open_source(name)
    train_indices, val_indices = stratified_split(source.train.labels, val, seed)
    if subset is not None:
        if not 1 <= subset <= len(train_indices):
            raise RequestError(
                f"A subset of {subset} images was asked for and the training part has {len(train_indices)}."
            )
        if subset < len(train_indices):
            _, chosen = stratified_split(source.train.labels[train_indices], subset / len(train_indices), seed)
            train_indices = train_indices[chosen]
    train, held_out = source.train.subset(train_indices), source.train.subset(val_indices)
    if normalize == "train":
        normalization = Normalization.measured(train.blocks())
    else:
        normalization = Normalization(mean=(normalize[0],), std=(normalize[1],))
    train, held_out = train.normalized_by(normalization), held_out.normalized_by(normalization)
    manifest = Manifest(
        source=source.name,
        seed=seed,
        val_fraction=val,
        train_size=len(train),
        val_size=len(held_out),
        train_sha256=train.sha256(),
        val_sha256=held_out.sha256(),
        val_indices=val_indices.tolist(),
    )
    return Splits(train, held_out, source.test, manifest)


def stratified_split(labels: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Divide places 0..n-1 in two so that each class is divided in the same proportion.

    The second part has ``round(fraction * n)`` places: each class gives the whole number below its
    share, and the places that are left go to the classes with the largest remainders.

    Args:
        labels: int64 (n,).
        fraction: of the second part, within (0, 1).
        seed: the same seed, the same division on every machine.

    Returns:
        Ascending int64 places of the first part and of the second.

    Raises:
        RequestError: one of the parts would be empty.
    """
    if not 0 < fraction < 1:
        raise RequestError(f"The fraction of a split lies between 0 and 1, and {fraction} does not.")
    generator = np.random.default_rng(seed)
    values = labels.numpy()
    size = round(fraction * len(values))
    if size in (0, len(values)):
        raise RequestError(
            f"A fraction of {fraction:g} of {len(values)} images leaves one part of the split without any."
        )
    members = [np.flatnonzero(values == label) for label in np.unique(values)]
    shares = np.array([fraction * len(places) for places in members])
    counts = np.floor(shares).astype(int)
    by_remainder = np.argsort(counts - shares, kind="stable")
    counts[by_remainder[: size - counts.sum()]] += 1
    second = np.zeros(len(values), dtype=bool)
    for places, count in zip(members, counts, strict=True):
        second[generator.permutation(places)[:count]] = True
    return torch.from_numpy(np.flatnonzero(~second)), torch.from_numpy(np.flatnonzero(second))
