"""What can be had without any learning: a yardstick that knows how hard the data are.

Shapes: s images that are searched among, a images that are asked about; d numbers in an image.
"""

from __future__ import annotations

import numpy as np
import torch

from honshi.data.examples import Examples

# Enough for a yardstick, and a second of work at most.
SEARCHED, ASKED = 10_000, 1_000


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
    pixels = images.gather(chosen).flatten(1).float() / 255  # (s, d)
    labels = images.labels[chosen]  # (s,)
    queries = pixels[:asked]  # (a, d)
    # |a - b|² without |a|², which is the same for all that are compared.
    distances = (pixels * pixels).sum(1) - 2 * queries @ pixels.T  # (a, s)
    distances.fill_diagonal_(torch.inf)
    return float((labels[distances.argmin(1)] == labels[: len(queries)]).double().mean())
