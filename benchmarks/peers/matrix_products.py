"""The limit: the matrix products of an epoch and nothing else, by torch, into memory that is there already.

Nothing that computes this training by these same calls can be faster. The operands are one batch that
stays in the cache; there are no activations, no loss, no update and no images to fetch.

Shapes: b images in a batch; i inputs and o outputs of a layer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch

from benchmarks.peers import BATCH_SIZE

IMAGES = 60_000
SIZES = (784, 128, 64, 10)


def prepare() -> Callable[[], float]:
    torch.manual_seed(0)
    full = _step(BATCH_SIZE)
    last = _step(IMAGES % BATCH_SIZE)

    def epoch() -> float:
        for _ in range(IMAGES // BATCH_SIZE):
            full()
        last()
        return math.nan

    return epoch


def _step(batch_size: int) -> Callable[[], None]:
    """The products of one step, as triples of two factors and the place for their product."""
    products = []
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(SIZES)):
        x = torch.randn(batch_size, inputs)
        weight = torch.randn(outputs, inputs)
        gradient = torch.randn(batch_size, outputs)
        products.append((x, weight.t(), torch.empty(batch_size, outputs)))
        products.append((gradient.t(), x, torch.empty(outputs, inputs)))
        # Nobody asks how the loss changes with the images themselves.
        if layer > 0:
            products.append((gradient, weight, torch.empty(batch_size, inputs)))

    def step() -> None:
        for left, right, out in products:
            torch.mm(left, right, out=out)

    return step
