"""Before training: is a validation image among the training images?

A search takes seconds and its answer depends on nothing but the images, so it is kept in the user's
data folder under the hashes of both sides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from honshi.data import Splits
from honshi.data.copies import Leak, find_leaks
from honshi.files import home, sha256, write_json


def leaks_into_validation(splits: Splits) -> list[Leak]:
    """The validation images (right) that are among the training images (left)."""
    sides = splits.manifest.train_sha256 + splits.manifest.val_sha256
    path = home() / "leaks" / f"{sha256(sides.encode())}.json"
    try:
        return [Leak(**leak) for leak in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError):
        # Not searched yet, or a file that cannot be read: both are mended by searching.
        leaks = find_leaks(splits.train, splits.val)
        write_json(path, [asdict(leak) for leak in leaks])
        return leaks


def without(splits: Splits, places: Sequence[int]) -> Splits:
    """The same splits without the training images at these places.

    The normalisation stays as it was measured: a few images among thousands do not move it.
    """
    dropped = set(places)
    train = splits.train.subset([place for place in range(len(splits.train)) if place not in dropped])
    manifest = replace(splits.manifest, train_size=len(train), train_sha256=train.sha256())
    return replace(splits, train=train, manifest=manifest)


def without_leaks(splits: Splits) -> Splits:
    """The same splits, with no validation image among the training images."""
    # Of several copies a search names one, so it is repeated until there is none.
    while leaks := leaks_into_validation(splits):
        splits = without(splits, [leak.left for leak in leaks])
    return splits


def describe(leaks: Sequence[Leak], kind: str, size: int) -> str:
    """What was found, in a line; ``kind`` and ``size`` say what was searched among the training images."""
    if not leaks:
        return f"no {kind} image is among the training images"
    exact = sum(leak.kind == "exact" for leak in leaks)
    return (
        f"{len(leaks):,} of {size:,} {kind} images are among the training images too "
        f"({exact:,} exactly, {len(leaks) - exact:,} nearly)"
    )
