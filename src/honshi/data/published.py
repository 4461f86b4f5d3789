"""A data set that is divided as it was published: training images, of which validation takes a part, and the exam."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from honshi.arguments import check_count
from honshi.data.examples import Examples
from honshi.data.leak_policy import places_without_leaks
from honshi.data.manifest import Manifest, short_digests
from honshi.data.sources import Source
from honshi.data.splits import Splits
from honshi.data.stratified import stratified_split
from honshi.errors import ArgumentError, DataError, RequestError
from honshi.pictures.contract import Normalization

# Measured on the training part, or a mean and a deviation.
Normalize = Literal["train"] | tuple[float, float]


def divide(
    source: Source,
    *,
    val: float,
    seed: int,
    normalize: Normalize,
    subset: int | None,
    drop_leaks: bool,
    folds_below: int = 0,
) -> Splits:
    """Divide a published data set; the arguments are those of `honshi.load`."""
    seed = check_count("seed", seed, least=0)
    train, held_out = stratified_split(source.train.labels, val, seed)
    by_folds = len(held_out) < folds_below
    if by_folds:
        train = torch.arange(len(source.train))
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
    if by_folds:
        held_out = train
    return _divided(source, train, held_out, val=val, seed=seed, normalize=normalize, drop_leaks=drop_leaks)


def divide_again(
    source: Source,
    manifest: Manifest,
    *,
    normalize: Normalize,
    subset: int | None,
    drop_leaks: bool,
) -> Splits:
    """Divide it as it was divided once; see `honshi.data.split.load_again`."""
    val, seed = manifest.val_fraction, manifest.seed
    try:
        splits = divide(
            source,
            val=val,
            seed=seed,
            normalize=normalize,
            subset=subset,
            drop_leaks=drop_leaks,
            folds_below=len(source.train) if manifest.by_folds else 0,
        )
        if manifest.describes(splits.train, splits.val):
            return splits
    except RequestError:
        pass  # there are fewer images than then, and what is missing is said below
    train, held_out = manifest.places(source.train)
    splits = _divided(source, train, held_out, val=val, seed=seed, normalize=normalize, drop_leaks=False)
    if not manifest.describes(splits.train, splits.val):
        raise DataError("There are as many images as before, and some of them are others, or have other labels.")
    return splits


def _divided(
    source: Source,
    train_places: Tensor,
    val_places: Tensor,
    *,
    val: float,
    seed: int,
    normalize: Normalize,
    drop_leaks: bool,
) -> Splits:
    # Found out once, for both parts.
    _ = source.train.digests
    train, held_out = source.train.subset(train_places), source.train.subset(val_places)
    normalization = normalized(train, normalize)
    train, held_out = train.normalized_by(normalization), held_out.normalized_by(normalization)
    by_folds = torch.equal(train_places, val_places)
    if drop_leaks:
        train = train.subset(places_without_leaks(train, None if by_folds else held_out, source.test))
        held_out = train if by_folds else held_out
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
        train_digests=None if whole or by_folds else short_digests(train),
        by_folds=by_folds or None,
    )
    return Splits(train, held_out, source.test, manifest)


def normalized(train: Examples, normalize: Normalize) -> Normalization:
    """How images are shown to a model: measured on the training part, or as it was asked for.

    Raises:
        ArgumentError: it is neither.
    """
    if normalize == "train":
        return Normalization.measured(train.blocks())
    if isinstance(normalize, (tuple, list)) and len(normalize) == 2:
        return Normalization(mean=(normalize[0],), std=(normalize[1],))
    raise ArgumentError('normalize is "train" or a mean and a deviation, not {value!r}.', value=normalize)
