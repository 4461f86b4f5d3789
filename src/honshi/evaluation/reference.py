"""What can be had without any learning: a yardstick that knows how hard the data are.

Shapes: s images that are searched among, a images that are asked about; d numbers in an image.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from honshi.data.examples import BLOCK_BYTES, Examples

# Enough for a yardstick, and a second of work at most.
SEARCHED, ASKED = 10_000, 1_000
# Pixels a side that are compared; of larger images so many means are, which tell as much and take less.
SIDE = 32


def nearest_neighbour(images: Examples, searched: int = SEARCHED, asked: int = ASKED) -> float:
    """How often the most similar other image has the same class, within [0, 1].

    The most similar image is the one that differs least pixel by pixel (Euclidean). A model with enough room
    should do at least as well on simple pictures, such as digits and clothes. It is measured among the training
    images, each left out once (Cover and Hart, "Nearest neighbor pattern classification", 1967), so that no
    validation image is looked at.

    Args:
        images: the training part, at least 2.
        searched: among so many images.
        asked: for so many of them.
    """
    chosen = torch.from_numpy(np.random.default_rng(0).permutation(len(images))[:searched])
    pixels = torch.cat([_numbers(images, places) for places in chosen.split(_at_once(images))])  # (s, d)
    labels = images.labels[chosen]  # (s,)
    queries = pixels[:asked]  # (a, d)
    # |a - b|² without |a|², which is the same for all that are compared.
    distances = (pixels * pixels).sum(1) - 2 * queries @ pixels.T  # (a, s)
    distances.fill_diagonal_(torch.inf)
    return float((labels[distances.argmin(1)] == labels[: len(queries)]).double().mean())


def _at_once(images: Examples) -> int:
    """How many images are looked at in one go, so that only their numbers are held of all."""
    return max(1, BLOCK_BYTES // math.prod(images.shape))


def _numbers(images: Examples, places: Tensor) -> Tensor:
    """What is compared of some images: (b, d)."""
    pixels = images.gather(places)  # (b, c, h, w)
    cell = -(-max(images.shape[1:]) // SIDE)
    if cell == 1:
        return pixels.flatten(1).float() / 255
    means = avg_pool2d(pixels.float(), cell, ceil_mode=True, count_include_pad=False)
    return means.flatten(1) / 255
