"""Which training images are in the sealed test set: their places, and nothing else of the test set."""

from __future__ import annotations

import torch

from honshi.data.copies import find_leaks
from honshi.data.examples import Examples
from honshi.data.sealed import Sealed, unseal


def training_places_in(sealed: Sealed, train: Examples) -> list[int]:
    """The places of the training images of which the test set has an exact or a near copy."""
    test_images = unseal(sealed)
    remaining = torch.arange(len(train))
    # Of several copies a search names one, so it is repeated until there is none.
    while leaks := find_leaks(train.subset(remaining), test_images):
        keep = torch.ones(len(remaining), dtype=torch.bool)
        keep[[leak.left for leak in leaks]] = False
        remaining = remaining[keep]
    kept = set(remaining.tolist())
    return [place for place in range(len(train)) if place not in kept]
