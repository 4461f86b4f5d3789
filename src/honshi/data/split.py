"""Train, validation and test: the exercises, the mock exam and the real exam.

What is published with a test part of its own is divided by `published`, someone's own pictures by `own`. The manifest
(`manifest`) freezes the division, so that a run can say later exactly which images it has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from honshi.data import own, published, shards
from honshi.data.manifest import Manifest
from honshi.data.published import Normalize
from honshi.data.sources import Source, is_sharded, open_source
from honshi.data.splits import Splits, Told
from honshi.data.store import Reading
from honshi.data.stratified import stratified_split
from honshi.errors import RequestError
from honshi.messages import Message

__all__ = ["Splits", "Told", "load", "load_again", "stratified_split"]


def load(
    name: str | PathLike[str] = "mnist",
    *,
    val: float = 0.1,
    seed: int = 0,
    normalize: Normalize = "train",
    subset: int | None = None,
    drop_leaks: bool = False,
    size: int | None = None,
    fit: Literal["pad", "crop", "stretch"] | None = None,
    test: float | None = None,
    group: str | None = None,
    columns: Mapping[str, str | int] | None = None,
    strict: bool = False,
    folds_below: int = 0,
    tell: Callable[[Reading | Message], None] | None = None,
) -> Splits[Any]:
    """Read a data set and split it.

    Args:
        name: as ``--data`` takes it: ``mnist``, ``fashion-mnist``, or the path of someone's own pictures.
        val: the fraction of the training set, within (0, 1), that is set aside for validation, where no validation
            part is published.
        seed: of the split, 0 or more.
        normalize: ``"train"`` measures mean and deviation of each channel on the training part; a
            pair sets them, (0.5, 0.5) being the lecture's.
        subset: keep only so many training images, drawn by class. The validation part stays whole,
            so that runs on different subsets are measured by the same mock exam.
        drop_leaks: leave out the training images of which the validation or the test set has a copy. The
            normalisation stays as it was measured: a few images among thousands do not move it.
        size: of own pictures, the side in pixels that they are brought to; chosen from them if left out.
        fit: of own pictures, how one of other proportions gets that shape: "pad" where nothing is said.
        test: of own pictures, the fraction that is set aside for the exam when they are first seen, where no test part
            is published; 0.15 if left out.
        group: of own pictures, a regular expression for their names; what its brackets enclose is a picture's group,
            and no group is torn apart.
        columns: of a table, which column is the path, the label, the split and the group.
        strict: refuse own pictures of which one cannot be read.
        folds_below: set no validation part aside where it would hold fewer images than this: all are for training
            then, and the mock exam too, to be scored by folds (`honshi.data.folds`).
        tell: told how far the reading of own pictures is.

    Raises:
        DataNotFoundError, DataError: the data set is not there or is damaged.
        RequestError: the split or the subset asks for more than there is, or for what means nothing.
    """
    if isinstance(name, (str, PathLike)) and is_sharded(name):
        given = {"size": size, "fit": fit, "test": test, "group": group, "columns": columns, "subset": subset}
        if asked := [option for option, value in given.items() if value is not None] + ["drop_leaks"] * drop_leaks:
            raise RequestError(
                "{name} are shards, whose parts and shape were decided when they were written: leave out {options}.",
                name=name,
                options=", ".join(asked),
            )
        return shards.divide(Path(name), val=val, seed=seed, normalize=normalize)
    source = open_source(name, columns=columns, group=group)
    if isinstance(source, Source):
        given = {"size": size, "fit": fit, "test": test}
        if asked := [option for option, value in given.items() if value is not None]:
            raise RequestError(
                "{name} comes with its parts and its shape, so it cannot be asked for another: leave out {options}.",
                name=source.title,
                options=", ".join(asked),
            )
        return published.divide(
            source,
            val=val,
            seed=seed,
            normalize=normalize,
            subset=subset,
            drop_leaks=drop_leaks,
            folds_below=folds_below,
        )
    wishes = own.Wishes(size=size, fit=fit or "pad", test=test, strict=strict)
    return own.divide(
        source,
        wishes,
        val=val,
        seed=seed,
        normalize=normalize,
        subset=subset,
        drop_leaks=drop_leaks,
        folds_below=folds_below,
        tell=tell,
    )


def load_again(
    name: str,
    manifest: Manifest,
    *,
    normalize: Normalize = "train",
    subset: int | None = None,
    drop_leaks: bool = False,
    columns: Mapping[str, str | int] | None = None,
    tell: Callable[[Reading | Message], None] | None = None,
) -> Splits[Any]:
    """Divide a data set as it was divided once, though it may lie elsewhere and in another order now.

    Of own pictures some may be missing, new or relabelled: what is left of each part is given, and said in ``changes``.

    Args:
        name, normalize, subset, drop_leaks, columns, tell: as for `load`, and as they were then.
        manifest: of that division.

    Raises:
        DataNotFoundError: the data set is not there.
        DataError: it is damaged, or these are not the same images; the message says how many are new or missing.
    """
    if is_sharded(name):
        return shards.divide_again(Path(name), manifest, normalize=normalize)
    # The first version made a class of each number up to the largest label.
    source = open_source(name, columns=columns, gaps=manifest.by_order)
    if isinstance(source, Source):
        return published.divide_again(source, manifest, normalize=normalize, subset=subset, drop_leaks=drop_leaks)
    return own.divide_again(source, manifest, tell=tell)
