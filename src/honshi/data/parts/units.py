"""Which pictures belong together, so that no split may come between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

# The label of what is in no group.
ALONE = -1


def units_of(
    count: int, groups: Iterable[NDArray[np.int64]] = (), pairs: Iterable[tuple[int, int]] = ()
) -> NDArray[np.int64]:
    """The smallest sets that tear no group and no pair apart.

    Args:
        count: of pictures, n.
        groups: each int64 (n,): a number for each picture, equal where they belong together, `ALONE` where to nobody.
        pairs: places of two pictures that belong together.

    Returns:
        int64 (n,): the least place of the unit that each picture is in.
    """
    parent = list(range(count))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    def join(first: int, second: int) -> None:
        low, high = sorted((root(first), root(second)))
        parent[high] = low

    for group in groups:
        for first, second in _chained(group):
            join(first, second)
    for first, second in pairs:
        join(int(first), int(second))
    return np.array([root(place) for place in range(count)], dtype=np.int64)


def numbered(texts: Sequence[str]) -> NDArray[np.int64]:
    """A number for each text, equal where the texts are; `ALONE` for the empty one. (n,)"""
    if not len(texts):
        return np.empty(0, dtype=np.int64)
    known: dict[str, int] = {"": ALONE}
    return np.array([known.setdefault(text, len(known) - 1) for text in texts], dtype=np.int64)


def _chained(group: NDArray[np.int64]) -> Iterable[tuple[int, int]]:
    """Each picture of a group and the next one of it."""
    order = np.argsort(group, kind="stable")
    order = order[group[order] != ALONE]
    same = group[order[1:]] == group[order[:-1]]
    return zip(order[:-1][same].tolist(), order[1:][same].tolist(), strict=True)
