"""Copies of pictures among someone's own: the same small version, or nearly the same.

It is the search of `honshi.data.copies`, on small grey versions, which can be kept of pictures that are removed.

Shapes: n pictures, h rows, w columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from honshi.data.copies import brightness, nearest_few, thresholds
from honshi.data.examples import Examples
from honshi.data.images import Images

# (h, w) of a small version.
SMALL = (32, 32)
# Of pictures with less from dark to light the small grey version tells nothing.
LEAST_CONTRAST = 8
# Of more pictures the search would take minutes: only copies of the same bytes are looked for among them.
MOST = 20_000
# Small versions of pictures that are gone which are compared.
MOST_GONE = 20_000


def small_versions(images: Examples) -> NDArray[np.uint8]:
    """Grey and small, uint8 (n, 32, 32)."""
    found = [np.empty((0, *SMALL), dtype=np.uint8)]
    for block in images.blocks():
        grey = brightness(block).unsqueeze(1)  # (b, 1, h, w)
        resized = F.interpolate(grey, SMALL, mode="bilinear", antialias=True, align_corners=False)
        found.append(resized.squeeze(1).round().clamp(0, 255).to(torch.uint8).cpu().numpy())
    return np.concatenate(found)


def copies_among(
    small: NDArray[np.uint8], labels: NDArray[np.int64], wanted: NDArray[np.int64], gone: NDArray[np.uint8]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Which of some pictures are copies of others that are at hand, and of some that are gone.

    Args:
        small: small versions of those at hand, uint8 (n, h, w).
        labels: of these, (n,); they tell how alike different pictures of a class are.
        wanted: places of those that are looked for.
        gone: small versions of pictures that are not at hand any more, uint8 (m, h, w).

    Returns:
        Pairs of a wanted place and another one; pairs of a wanted place and a place among those that are gone.
    """
    at_hand = _images(small, labels)
    limits = thresholds(at_hand)[torch.from_numpy(labels[wanted])]
    queries = at_hand.subset(wanted.tolist())
    here = _exact(small, wanted, small) + _near(at_hand, queries, limits, wanted)
    if not len(gone):
        return [pair for pair in here if pair[0] != pair[1]], []
    others = _images(gone, np.zeros(len(gone), dtype=np.int64))
    there = _exact(small, wanted, gone) + _near(others, queries, limits, wanted)
    return [pair for pair in here if pair[0] != pair[1]], there


def _images(small: NDArray[np.uint8], labels: NDArray[np.int64]) -> Images:
    classes = tuple(map(str, range(int(labels.max(initial=0)) + 1)))
    return Images(pixels=torch.from_numpy(small.copy()).unsqueeze(1), labels=torch.from_numpy(labels), classes=classes)


def _exact(small: NDArray[np.uint8], wanted: NDArray[np.int64], others: NDArray[np.uint8]) -> list[tuple[int, int]]:
    first: dict[bytes, int] = {}
    for place, version in enumerate(others):
        if version.max() - version.min() >= LEAST_CONTRAST:
            first.setdefault(version.tobytes(), place)
    looked_up = ((place, first.get(small[place].tobytes())) for place in wanted.tolist())
    return [(place, other) for place, other in looked_up if other is not None]


def _near(
    pool: Images, queries: Images, limits: torch.Tensor, wanted: Sequence[int] | NDArray[np.int64]
) -> list[tuple[int, int]]:
    candidates, distances = nearest_few(pool, queries)  # (n', k) each
    rows, columns = (distances < limits.unsqueeze(1)).nonzero(as_tuple=True)
    places = np.asarray(wanted)[rows.numpy()].tolist()
    return list(zip(places, candidates[rows, columns].tolist(), strict=True))
