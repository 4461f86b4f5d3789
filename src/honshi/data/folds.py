"""Folds: training images dealt out so that each can be scored by a model that did not see it.

Shapes: n images; k classes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from honshi.arguments import check_count
from honshi.errors import RequestError


def deal(labels: Tensor, folds: int, repeats: int = 1, seed: int = 0, units: Tensor | None = None) -> Tensor:
    """Deal images out to folds of one size, each with the same share of every class, several times anew.

    Args:
        labels: int64 (n,).
        folds: how many there are, at least 2.
        repeats: how often they are dealt.
        seed: the same seed, the same folds on every machine.
        units: int64 (n,), equal where images belong together (copies, one group): they come into one fold.

    Returns:
        int64 (repeats, n): the fold that each image is in.

    Raises:
        RequestError: there are fewer units than folds.
    """
    folds, repeats = check_count("folds", folds, least=2), check_count("repeats", repeats)
    _, unit = np.unique(np.arange(len(labels)) if units is None else units.numpy(), return_inverse=True)
    count = int(unit.max(initial=-1)) + 1
    if count < folds:
        raise RequestError(
            "{count} images that do not belong together cannot be dealt out to {folds} folds: ask for fewer folds.",
            count=count,
            folds=folds,
        )
    members = np.split(np.argsort(unit, kind="stable"), np.cumsum(np.bincount(unit))[:-1])
    truth = labels.numpy()
    return torch.from_numpy(np.stack([_dealt(truth, members, folds, (seed, turn)) for turn in range(repeats)]))


def _dealt(
    labels: np.ndarray[tuple[int], np.dtype[np.int64]],
    members: list[np.ndarray[tuple[int], np.dtype[np.int64]]],
    folds: int,
    seed: tuple[int, int],
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Large units first, each into the fold that has least of its classes, and of those into the smallest."""
    generator = np.random.default_rng(seed)
    total = np.maximum(np.bincount(labels), 1)
    held = np.zeros((folds, len(total)))
    sizes = np.zeros(folds)
    found = np.zeros(len(labels), dtype=np.int64)
    shuffled = generator.permutation(len(members)).tolist()
    for number in sorted(shuffled, key=lambda number: -len(members[number])):
        places = members[number]
        classes = labels[places]
        # A share of a class weighs as much whatever its size; the sizes decide between equals, and then the lot.
        has = (held[:, classes] / total[classes]).sum(1)
        fold = np.lexsort((generator.random(folds), sizes, np.round(has, 9)))[0]
        found[places] = fold
        np.add.at(held[fold], classes, 1)
        sizes[fold] += len(places)
    return found
