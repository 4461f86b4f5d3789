"""What is done about leaks when data are loaded: they are told, and left out where that is wanted.

A search takes seconds and its answer depends on nothing but the images, so it is kept in the user's
data folder under the hashes of both sides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from honshi.data.copies import SMALLEST, Leak, find_leaks, searched_for
from honshi.data.examples import Examples
from honshi.data.images import Images
from honshi.data.sealed import Sealed
from honshi.files import home, not_written, read_bounded, sha256, write_json
from honshi.messages import Message

# What is kept of one search: a line a leak.
MOST_BYTES = 1 << 28


def leaks_into_validation(train: Examples, val: Examples) -> list[Leak]:
    """The validation images (right) that are among the training images (left)."""
    # Places are answered, so the order of the images matters.
    path = _kept(sha256(train.digests.tobytes() + val.digests.tobytes()))
    leaks = _read(path)
    if leaks is None:
        if isinstance(train, Images) and isinstance(val, Images):
            # Under the name that the first version gave it, which knew no others, or not searched yet.
            leaks = _read(_kept(sha256((train.sha256() + val.sha256()).encode())))
        found = find_leaks(train, val) if leaks is None else leaks
        # A home that cannot be written to makes the next start slower, and nothing else.
        not_written(lambda: write_json(path, [asdict(leak) for leak in found]))
        return found
    return leaks


def places_without_leaks(train: Examples, val: Examples | None, test: Sealed) -> Tensor:
    """The places, ascending, of the training images of which neither the validation nor the test set has a copy.

    Where there is no validation set only the test set counts. Nothing is learnt of the test set but which training
    images it shares.
    """
    places = torch.arange(len(train))
    # Of several copies a search names one, so it is repeated until there is none.
    while val is not None and (leaks := leaks_into_validation(train.subset(places), val)):
        places = _without(places, [leak.left for leak in leaks])
    return _without(places, test.shared_with(train.subset(places)))


def describe(leaks: Sequence[Leak], size: int) -> Message:
    """What was found of ``size`` validation images among the training images, in a line."""
    if not leaks:
        return Message("no validation image is among the training images")
    exact = sum(leak.kind == "exact" for leak in leaks)
    return Message(
        "{count:,} of {size:,} validation images are among the training images too ({exact:,} exactly, {near:,} "
        "nearly)",
        count=len(leaks),
        size=size,
        exact=exact,
        near=len(leaks) - exact,
    )


def compared(train: Examples, val: Examples) -> Message:
    """What a search for validation images among the training images compares, and what it does not."""
    if min(train.shape[1:]) < SMALLEST:
        return Message(
            "All images were compared, byte by byte. They are too small to look for copies that differ in any pixel."
        )
    looked_for = searched_for(len(train), len(val))
    if looked_for < len(val):
        return Message(
            "All images were compared, byte by byte. There are too many to look for every other copy: {some:,} of "
            "{all:,} validation images, evenly spaced, were looked for among all training images as copies that were "
            "encoded again, moved by one pixel or given other brightness, contrast or colours. Copies that were "
            "mirrored, rotated, cropped or moved further are not found.",
            some=looked_for,
            all=len(val),
        )
    return Message(
        "All images were compared, byte by byte and for copies that were encoded again, moved by one pixel or given "
        "other brightness, contrast or colours. Copies that were mirrored, rotated, cropped or moved further are not "
        "found."
    )


def _without(places: Tensor, dropped: Sequence[int]) -> Tensor:
    keep = torch.ones(len(places), dtype=torch.bool)
    keep[list(dropped)] = False
    return places[keep]


def _kept(name: str) -> Path:
    return home() / "leaks" / f"{name}.json"


def _read(path: Path) -> list[Leak] | None:
    try:
        return [Leak(**leak) for leak in json.loads(read_bounded(path, MOST_BYTES))]
    except (OSError, ValueError, TypeError, RecursionError):
        return None  # not searched yet, or damaged: both are mended by searching
