"""A division in the proportion of the classes, by a seed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from honshi.arguments import check_count
from honshi.errors import RequestError


def stratified_split(labels: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Divide places 0..n-1 in two so that each class is divided in the same proportion.

    The second part has ``round(fraction * n)`` places: each class gives the whole number below its
    share, and the places that are left go to the classes with the largest remainders.

    Args:
        labels: int64 (n,).
        fraction: of the second part, within (0, 1).
        seed: the same seed, the same division on every machine.

    Returns:
        Ascending int64 places of the first part and of the second.

    Raises:
        RequestError: one of the parts would be empty.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 < fraction < 1:
        raise RequestError("The fraction of a split lies between 0 and 1, and {fraction} does not.", fraction=fraction)
    generator = np.random.default_rng(check_count("seed", seed, least=0))
    values = labels.numpy()
    size = round(fraction * len(values))
    if size in (0, len(values)):
        raise RequestError(
            "A fraction of {fraction:g} of {count} images leaves one part of the split without any.",
            fraction=fraction,
            count=len(values),
        )
    members = [np.flatnonzero(values == label) for label in np.unique(values)]
    shares = np.array([fraction * len(places) for places in members])
    counts = np.floor(shares).astype(int)
    by_remainder = np.argsort(counts - shares, kind="stable")
    counts[by_remainder[: size - counts.sum()]] += 1
    second = np.zeros(len(values), dtype=bool)
    for places, count in zip(members, counts, strict=True):
        second[generator.permutation(places)[:count]] = True
    return torch.from_numpy(np.flatnonzero(~second)), torch.from_numpy(np.flatnonzero(second))
