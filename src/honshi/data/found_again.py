"""The pictures of a run found again among those that there are now, whatever has become of these."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from honshi.data.examples import Examples
from honshi.data.manifest import Changes, Manifest, short_digests


def found_again(
    manifest: Manifest, images: Examples, sealed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Changes]:
    """Where the pictures of a run are among those that there are now, and what has changed.

    A picture that has another label now is found too, by its pixels.

    Args:
        manifest: of the run, with the digests of all its parts.
        images: with the classes of the run.
        sealed: bool (n,), those that are set aside for the exam, wherever they were when the run was begun.

    Returns:
        int64 places of the training, the validation and the test part, in the order of the manifest.
    """
    now = short_digests(images)
    by_digest, by_pixels = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for place, digest in reversed(list(enumerate(now))):
        by_digest[digest].append(place)
        by_pixels[_pixels_of(digest)].append(place)
    taken = set[int]()

    def first(places: list[int], side: bool) -> int | None:
        free = (place for place in reversed(places) if place not in taken and bool(sealed[place]) == side)
        return next(free, None)

    parts = (manifest.train_digests or [], manifest.val_digests or [], manifest.test_digests or [])
    found: list[dict[int, int]] = []  # of each part, by the place in it
    # Those that are as they were first, so that none is taken for another one.
    for digests, side in zip(parts, (False, False, True), strict=True):
        places = dict[int, int]()
        for number, digest in enumerate(digests):
            if (same := first(by_digest[digest], side)) is not None:
                places[number] = same
                taken.add(same)
        found.append(places)
    relabelled = removed = 0
    for digests, places, side in zip(parts, found, (False, False, True), strict=True):
        for number, digest in enumerate(digests):
            if number in places:
                continue
            if (other := first(by_pixels[_pixels_of(digest)], side)) is not None:
                places[number] = other
                taken.add(other)
                relabelled += 1
            else:
                removed += 1
    # Where the exam is published, nobody has looked which pictures are in it.
    added = len(now) - len(taken) - (0 if manifest.test_digests is not None else int(sealed.sum()))
    train, val, test = (np.array([places[number] for number in sorted(places)], dtype=np.int64) for places in found)
    return train, val, test, Changes(added=max(0, added), removed=removed, relabelled=relabelled)


def _pixels_of(digest: str) -> str:
    return digest.partition("-")[0]
