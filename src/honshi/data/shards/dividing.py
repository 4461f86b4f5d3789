"""The parts of a data set that was written as shards, as they were divided then."""

from __future__ import annotations

from pathlib import Path
from typing import Never

from honshi.data.examples import Examples
from honshi.data.manifest import Manifest
from honshi.data.published import Normalize, normalized
from honshi.data.sealed import Sealed
from honshi.data.shards.images import Sharded
from honshi.data.shards.layout import PARTS, Index
from honshi.data.splits import Splits, Told
from honshi.errors import DataError, RequestError
from honshi.messages import Message
from honshi.recipe import DataOptions


def divide(folder: Path, *, val: float, seed: int, normalize: Normalize) -> Splits[Examples]:
    """The training and the validation part; the arguments are those of `honshi.load`.

    Raises:
        DataError: they are damaged, or webdataset is not installed.
        RequestError: another division was asked for.
    """
    index = Index.read(folder)
    nothing_said = DataOptions()
    for name, asked, usual, written in (
        ("val", val, nothing_said.val, index.manifest.val_fraction),
        ("seed", seed, nothing_said.seed, index.manifest.seed),
    ):
        if asked not in (usual, written):
            raise RequestError(
                "{folder} are shards, which were divided with {name} {written} when they were written, not {asked}.",
                folder=folder,
                name=name,
                written=written,
                asked=asked,
            )
    return _splits(folder, index, normalize)


def _splits(folder: Path, index: Index, normalize: Normalize) -> Splits[Examples]:
    train, val = (_shown(Sharded(folder, index, index.part(folder, part)), normalize) for part in PARTS)
    said = Message(
        "{title}, as WebDataset shards: {train:,} images for training in {files:,}, {val:,} for validation",
        title=index.title,
        train=len(train),
        files=len(index.files["train"]),
        val=len(val),
    )
    told = (Told(Message("source"), (said,)),)
    return Splits(train, val, _sealed(index), index.manifest, told=told)


def _shown(part: Sharded, normalize: Normalize) -> Examples:
    """As it was measured when they were written, unless it is asked for."""
    return part if normalize == "train" else part.normalized_by(normalized(part, normalize))


def divide_again(folder: Path, manifest: Manifest, *, normalize: Normalize) -> Splits[Examples]:
    """The same, if they are what a run was trained on.

    Raises:
        DataError: as `divide`; or they are shards of another division.
    """
    splits = _splits(folder, Index.read(folder), normalize)
    if (splits.manifest.train_sha256, splits.manifest.val_sha256) != (manifest.train_sha256, manifest.val_sha256):
        raise DataError("These shards hold other images, or divide them in another way.")
    return splits


def _sealed(index: Index) -> Sealed:
    def elsewhere(_: object = None) -> Never:
        raise DataError(
            "The pictures for the exam of {title} are not among the shards. Sit it where the data are: honshi test RUN "
            "--data DATA.",
            title=index.title,
        )

    return Sealed(index.title, elsewhere, shape=index.shape, shared=elsewhere)
