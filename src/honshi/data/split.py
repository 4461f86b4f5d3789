"""Train, validation and test: the exercises, the mock exam and the real exam.

The published training set is divided by class and by a seed; the published test set stays sealed.
The manifest (`manifest`) freezes the division, so that a run can say later exactly which images it has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal

import numpy as np
import torch
from torch import Tensor
from typing_extensions import TypeVar

from honshi.arguments import check_count
from honshi.data.examples import Examples
from honshi.data.images import Images
from honshi.data.leak_policy import places_without_leaks
from honshi.data.manifest import Manifest, short_digests
from honshi.data.sealed import Sealed
from honshi.data.sources import Source, open_published
from honshi.errors import ArgumentError, DataError, RequestError
from honshi.pictures.contract import Normalization

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
    drop_leaks: bool = False,
) -> Splits:
    """Read a data set and split it.

    Args:
        name: as ``--data`` takes it: ``mnist``, ``fashion-mnist``, ``idx:FOLDER``.
        val: the fraction of the training set, within (0, 1), that is set aside for validation.
        seed: of the split, 0 or more.
        normalize: ``"train"`` measures mean and deviation of each channel on the training part; a
            pair sets them, (0.5, 0.5) being the lecture's.
        subset: keep only so many training images, drawn by class. The validation part stays whole,
            so that runs on different subsets are measured by the same mock exam.
        drop_leaks: leave out the training images of which the validation or the test set has a copy. The
            normalisation stays as it was measured: a few images among thousands do not move it.

    Raises:
        DataNotFoundError, DataError: the data set is not there or is damaged.
        RequestError: the split or the subset asks for more than there is, or for what means nothing.
    """
    source = open_published(name)
    return _load(source, val=val, seed=seed, normalize=normalize, subset=subset, drop_leaks=drop_leaks)


def load_again(
    name: str,
    manifest: Manifest,
    *,
    normalize: Literal["train"] | tuple[float, float] = "train",
    subset: int | None = None,
    drop_leaks: bool = False,
) -> Splits:
    """Divide a data set as it was divided once, though it may lie elsewhere and in another order now.

    Args:
        name, normalize, subset, drop_leaks: as for `load`, and as they were then.
        manifest: of that division.

    Raises:
        DataNotFoundError: the data set is not there.
        DataError: it is damaged, or these are not the same images; the message says how many are new or missing.
    """
    # The first version made a class of each number up to the largest label.
    source = open_published(name, gaps=manifest.by_order)
    val, seed = manifest.val_fraction, manifest.seed
    try:
        splits = _load(source, val=val, seed=seed, normalize=normalize, subset=subset, drop_leaks=drop_leaks)
        if manifest.describes(splits.train, splits.val):
            return splits
    except RequestError:
        pass  # there are fewer images than then, and what is missing is said below
    train, held_out = manifest.places(source.train)
    splits = _divided(source, train, held_out, val=val, seed=seed, normalize=normalize, drop_leaks=False)
    if not manifest.describes(splits.train, splits.val):
        raise DataError("There are as many images as before, and some of them are others, or have other labels.")
    return splits


def _load(
    source: Source,
    *,
    val: float,
    seed: int,
    normalize: Literal["train"] | tuple[float, float],
    subset: int | None,
    drop_leaks: bool,
) -> Splits:
    seed = check_count("seed", seed, least=0)
    train, held_out = stratified_split(source.train.labels, val, seed)
    if subset is not None:
        subset = check_count("subset", subset)
        if subset > len(train):
            raise RequestError(
                "A subset of {subset} images was asked for and the training part has {count}.",
                subset=subset,
                count=len(train),
            )
        if subset < len(train):
            _, chosen = stratified_split(source.train.labels[train], subset / len(train), seed)
            train = train[chosen]
    return _divided(source, train, held_out, val=val, seed=seed, normalize=normalize, drop_leaks=drop_leaks)


def _divided(
    source: Source,
    train_places: Tensor,
    val_places: Tensor,
    *,
    val: float,
    seed: int,
    normalize: Literal["train"] | tuple[float, float],
    drop_leaks: bool,
) -> Splits:
    # Found out once, for both parts.
    _ = source.train.digests
    train, held_out = source.train.subset(train_places), source.train.subset(val_places)
    if normalize == "train":
        normalization = Normalization.measured(train.blocks())
    elif isinstance(normalize, (tuple, list)) and len(normalize) == 2:
        normalization = Normalization(mean=(normalize[0],), std=(normalize[1],))
    else:
        raise ArgumentError('normalize is "train" or a mean and a deviation, not {value!r}.', value=normalize)
    train, held_out = train.normalized_by(normalization), held_out.normalized_by(normalization)
    if drop_leaks:
        train = train.subset(places_without_leaks(train, held_out, source.test))
    whole = len(train) + len(held_out) == len(source.train)
    manifest = Manifest(
        source=source.title,
        seed=seed,
        val_fraction=val,
        train_size=len(train),
        val_size=len(held_out),
        train_sha256=train.identity,
        val_sha256=held_out.identity,
        val_digests=short_digests(held_out),
        train_digests=None if whole else short_digests(train),
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
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 < fraction < 1:
        raise RequestError("The fraction of a split lies between 0 and 1, and {fraction} does not.", fraction=fraction)
    generator = np.random.default_rng(check_count("seed", seed, least=0))
    values = labels.numpy()
    size = round(fraction * len(values))
    if size in (0, len(values)):
        raise RequestError(
            "A fraction of {fraction:g} of {count} images leaves one part of the split without any.",
            fraction=fraction,
            count=len(values),
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
