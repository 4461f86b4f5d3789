"""Someone's own pictures: from what a source lists to training, validation and the sealed exam.

A test part that is published is the exam, and a validation part the mock exam. Where no test part is, a share is set
aside and sealed when the pictures are first seen (`parts`). Where no validation part is, it is drawn from the training
part by a seed, and neither groups nor copies are torn apart by that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from honshi.arguments import check_count
from honshi.data.examples import Examples
from honshi.data.found_again import found_again
from honshi.data.leak_policy import places_without_leaks
from honshi.data.listing import TEST, TRAIN, VAL, Listing, chosen
from honshi.data.manifest import Manifest, short_digests
from honshi.data.parts.division import draw, ranks_of, smallest
from honshi.data.parts.settle import Pictures, Settled, sealed_among, settle
from honshi.data.published import Normalize, normalized
from honshi.data.relabelled import Relabelled, held
from honshi.data.sealing import labelled_test, sealed_part, sealed_share, unlabelled
from honshi.data.splits import Splits
from honshi.data.store import Form, Mapped, Reading, Settings, decide, ingest
from honshi.data.stratified import stratified_split
from honshi.data.telling import notes_of, told_of
from honshi.errors import DataError, RequestError
from honshi.messages import Message
from honshi.pictures.contract import Normalization

Tell = Callable[[Reading | Message], None]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What was asked for.

    Attributes:
        size, fit, test, strict: as for `honshi.load`.
    """

    size: int | None = None
    fit: Literal["pad", "crop", "stretch"] = "pad"
    test: float | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        """
        Raises:
            RequestError: the fraction for the exam is none.
        """
        test = self.test
        if test is not None and (isinstance(test, bool) or not isinstance(test, (int, float)) or not 0 < test < 1):
            raise RequestError("The fraction of a split lies between 0 and 1, and {fraction} does not.", fraction=test)


def divide(
    listing: Listing,
    wishes: Wishes,
    *,
    val: float,
    seed: int,
    normalize: Normalize,
    subset: int | None,
    drop_leaks: bool,
    folds_below: int = 0,
    tell: Tell | None = None,
) -> Splits[Examples]:
    """Read pictures and give each its part; the arguments are those of `honshi.load`."""
    seed = check_count("seed", seed, least=0)
    if isinstance(val, bool) or not isinstance(val, (int, float)) or not 0 < val < 1:
        raise RequestError("The fraction of a split lies between 0 and 1, and {fraction} does not.", fraction=val)
    exam = not (listing.parts == TEST).any()
    opened = listing if exam else chosen(listing, np.flatnonzero(listing.parts != TEST))
    form = decide(opened, Settings(size=wishes.size, fit=wishes.fit))
    images = ingest(opened, form, strict=wishes.strict, tell=tell)
    pictures = _pictures(opened, images)
    settled = settle(pictures, wishes.test, exam=exam)
    train, held_out = _parts(pictures, settled, val, seed, listing)
    by_folds = len(held_out) < folds_below and not (settled.parts == VAL).any()
    if by_folds:
        train = np.sort(np.concatenate([train, held_out]))
    if subset is not None:
        train = _subset(train, pictures.labels, subset, seed)
    held_out = train if by_folds else held_out
    test = sealed_share(opened, images, settled.parts == TEST) if exam else sealed_part(listing, form)
    normalization = normalized(images.subset(torch.from_numpy(train)), normalize)
    part = held(images, train, normalization)
    mock = part if by_folds else held(images, held_out, normalization)
    units = torch.from_numpy(settled.units[train])
    if drop_leaks:
        places = places_without_leaks(part, None if by_folds else mock, test)
        part, units = part.subset(places), units[places]
        mock = part if by_folds else mock
    sealed = np.flatnonzero(settled.parts == TEST) if exam else None
    manifest = Manifest(
        source=listing.title,
        seed=seed,
        val_fraction=val,
        train_size=len(part),
        val_size=len(mock),
        train_sha256=part.identity,
        val_sha256=mock.identity,
        val_digests=short_digests(mock),
        train_digests=None if by_folds else short_digests(part),
        test_digests=None if sealed is None else short_digests(images.subset(torch.from_numpy(sealed))),
        classes=list(images.classes),
        form=form.to_dict(),
        normalization={"mean": list(normalization.mean), "std": list(normalization.std)},
        by_folds=by_folds or None,
    )
    return Splits(
        part,
        mock,
        test,
        manifest,
        units,
        tuple(images.names[place] for place in train.tolist()) if not drop_leaks else (),
        told=told_of(listing, images, settled, wishes.size),
        notes=notes_of(listing, images, settled, wishes.test, train, held_out),
        exam_size=len(sealed) if sealed is not None else labelled_test(listing),
        unlabelled=unlabelled(listing),
    )


def divide_again(listing: Listing, manifest: Manifest, *, tell: Tell | None = None) -> Splits[Examples]:
    """Find the parts of a run again; see `honshi.data.split.load_again`."""
    if manifest.form is None or manifest.classes is None or manifest.normalization is None:
        raise DataError(
            "It was trained on IDX files or on a data set that has a name, and this is {kind}.", kind=listing.kind
        )
    exam = not (listing.parts == TEST).any()
    opened = listing if exam else chosen(listing, np.flatnonzero(listing.parts != TEST))
    before = Form.from_dict(manifest.form)
    form = Form(shape=before.shape, fit=before.fit, scale=before.scale)
    normalization = Normalization(**{name: tuple(values) for name, values in manifest.normalization.items()})
    read = ingest(opened, form, tell=tell)
    images = Relabelled.with_classes(read, tuple(manifest.classes))
    assert images.contents is not None
    sealed = sealed_among(images.contents) if exam else np.zeros(len(images), dtype=bool)
    train, held_out, test, changes = found_again(manifest, images, sealed)
    train = held_out if manifest.by_folds else train
    if not len(held_out) or not len(train):
        raise DataError(
            "{removed:,} of its {count:,} images are missing, and of one part there is none left.",
            removed=changes.removed,
            count=manifest.size + len(manifest.test_digests or ()),
        )
    mock = held(images, held_out, normalization)
    part = mock if manifest.by_folds else held(images, train, normalization)
    if not exam:
        exam_part = sealed_part(listing, form, classes=images.classes)
    else:
        which = np.zeros(len(images), dtype=bool)
        which[test] = True
        exam_part = sealed_share(opened, images, which)
    names = tuple(read.names[place] for place in images.places[torch.from_numpy(train)].tolist())
    return Splits(part, mock, exam_part, manifest, names=names, changes=changes, unlabelled=unlabelled(listing))


def _pictures(opened: Listing, images: Mapped) -> Pictures:
    groups = opened.groups
    return Pictures(
        keys=images.contents,
        labels=images.labels.numpy(),
        classes=len(images.classes),
        published=opened.parts[images.places],
        groups=None if groups is None else [groups[place] for place in images.places.tolist()],
        images=images,
        fit=images.form.fit,
    )


def _parts(
    pictures: Pictures, settled: Settled, val: float, seed: int, listing: Listing
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the training and of the validation part, ascending.

    Raises:
        RequestError: one of them would be empty.
    """
    train, published = np.flatnonzero(settled.parts == TRAIN), np.flatnonzero(settled.parts == VAL)
    if len(published) and len(train):
        return train, published
    labels, units = pictures.labels[train], settled.units[train]
    ranks = ranks_of(pictures.keys[train], seed)
    lacking = (val * np.bincount(labels, minlength=pictures.classes)).astype(np.float64)
    taken = draw(labels, units, ranks, lacking)
    if not taken.any():
        taken = smallest(labels, units, ranks, pictures.classes)
    if not taken.any():
        raise RequestError(
            "{name}: of {count:,} pictures that can be read {train:,} are for training, and they cannot be divided: "
            "copies of one another and pictures of one group stay together. Add others.",
            name=listing.title,
            count=len(pictures),
            train=len(train),
        )
    return train[~taken], train[taken]


def _subset(train: NDArray[np.int64], labels: NDArray[np.int64], subset: int, seed: int) -> NDArray[np.int64]:
    subset = check_count("subset", subset)
    if subset > len(train):
        raise RequestError(
            "A subset of {subset} images was asked for and the training part has {count}.",
            subset=subset,
            count=len(train),
        )
    if subset == len(train):
        return train
    _, taken = stratified_split(torch.from_numpy(labels[train]), subset / len(train), seed)
    places: NDArray[np.int64] = train[taken.numpy()]
    return places
