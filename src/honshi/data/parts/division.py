"""A share of the pictures, in the proportion of the classes, and never a part of a unit.

Units are gone through in an order that is as good as drawn by lot; each is taken as long as it fits into what its
classes still lack. What is left over at the end goes to the classes that lack most, as in `stratified_split`, which
gives the same numbers where each picture is a unit of its own.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def draw(
    labels: NDArray[np.int64],
    units: NDArray[np.int64],
    ranks: NDArray[np.uint64],
    lacking: NDArray[np.float64],
    others: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Draw whole units until each class has what it lacks, as nearly as they allow.

    No class gives its last unit away.

    Args:
        labels: (n,) of the pictures that there are to draw from, each a place in the classes (k).
        units: (n,) equal where pictures belong together.
        ranks: (n,) of each picture; units come in the order of their least.
        lacking: (k,) pictures of each class that are to be drawn; a fraction counts towards the sum.
        others: (k,) pictures of each class that stay on the other side anyway; none if left out.

    Returns:
        Which pictures are drawn, (n,).
    """
    taken = np.zeros(len(labels), dtype=bool)
    lack = np.maximum(lacking, 0).tolist()
    left = np.bincount(labels, minlength=len(lack))
    left = (left if others is None else left + others).tolist()
    missing = sum(lack)
    queue = []
    for members in _by_rank(units, ranks):
        counts = _counts(labels[members])
        if all(lack[label] >= count and left[label] > count for label, count in counts):
            taken[members] = True
            for label, count in counts:
                lack[label] -= count
                left[label] -= count
            missing -= len(members)
        else:
            queue.append((members, counts))
    # What its classes lack is less than any of these has, and together it may still be several pictures.
    queue.sort(key=lambda unit: -sum(min(lack[label], count) for label, count in unit[1]) / len(unit[0]))
    for members, counts in queue:
        fits = missing > len(members) / 2 and all(left[label] > count for label, count in counts)
        if fits and any(lack[label] > 0 for label, _ in counts):
            taken[members] = True
            for label, count in counts:
                lack[label] -= count
                left[label] -= count
            missing -= len(members)
    return taken


def smallest(
    labels: NDArray[np.int64], units: NDArray[np.int64], ranks: NDArray[np.uint64], classes: int
) -> NDArray[np.bool_]:
    """The unit that leaves most on the other side: what is drawn where even one unit is more than the share.

    Args:
        labels, units, ranks: as for `draw`.
        classes: k.

    Returns:
        Which pictures are in it, (n,); none where there is only one unit.
    """
    taken = np.zeros(len(labels), dtype=bool)
    found = list(_by_rank(units, ranks))
    left = np.bincount(labels, minlength=classes)
    if len(found) > 1:
        emptied = [sum(int(left[label]) == count for label, count in _counts(labels[members])) for members in found]
        best = min(range(len(found)), key=lambda number: (emptied[number], len(found[number])))
        taken[found[best]] = True
    return taken


def ranks_of(keys: NDArray[np.uint8], seed: int | None = None) -> NDArray[np.uint64]:
    """An order of pictures that depends on what they are and on a seed alone, not on names or places.

    Args:
        keys: uint8 (n, k), what each picture is.
        seed: of the order.
    """
    salt = f"honshi {'exam' if seed is None else seed} ".encode()
    digest = hashlib.blake2b
    hashes = b"".join([digest(salt + key.tobytes(), digest_size=8).digest() for key in keys])
    return np.frombuffer(hashes, dtype=">u8").astype(np.uint64)


def _by_rank(units: NDArray[np.int64], ranks: NDArray[np.uint64]) -> list[NDArray[np.int64]]:
    """The places of each unit, the units in the order of their least rank."""
    order = np.lexsort((ranks, units))
    starts = np.flatnonzero(np.r_[True, units[order][1:] != units[order][:-1]]) if len(order) else np.empty(0, int)
    members = np.split(order, starts[1:])
    # The first of each has its least rank.
    return [members[number] for number in np.argsort(ranks[order[starts]], kind="stable")] if len(order) else []


def _counts(labels: NDArray[np.int64]) -> list[tuple[int, int]]:
    if len(labels) == 1:
        return [(int(labels[0]), 1)]
    values, counts = np.unique(labels, return_counts=True)
    return list(zip(values.tolist(), counts.tolist(), strict=True))
