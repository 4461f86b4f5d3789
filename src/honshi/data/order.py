"""An epoch in which whole files (shards) are read one after the other, by as many processes as there are.

Shapes: n images.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import torch
from torch import Tensor


def shard_orders(homes: Tensor, counts: Sequence[int], at_once: int, draws: torch.Generator) -> list[Tensor]:
    """The images of an epoch, divided among processes, each of which opens few shards and each once or twice.

    The shards stand in a random order and are cut into stretches of ``counts`` images. Within its stretch a process
    mixes the images of as many shards as it can hold at once, about ``at_once`` images.

    Args:
        homes: int64 (n,), the shard of each image.
        counts: for each process its images; together n.
        at_once: images that a process can hold.
        draws: the same in all processes.

    Returns:
        For each process the places of its images in its order, int64; together each place once.
    """
    shards = torch.randperm(int(homes.max()) + 1, generator=draws)
    rank_of = torch.empty_like(shards)
    rank_of[shards] = torch.arange(len(shards))
    line = torch.argsort(rank_of[homes], stable=True)  # all images, shard after shard
    orders = []
    for stretch in line.split(list(counts)):
        ends = [*((homes[stretch].diff() != 0).nonzero().flatten() + 1).tolist(), len(stretch)]  # of each shard
        mixed = []
        first = 0
        while first < len(stretch):
            # Whole shards: as many as fit, and at least one.
            last = ends[max(bisect_right(ends, first + at_once) - 1, bisect_right(ends, first))]
            some = stretch[first:last]
            mixed.append(some[torch.randperm(len(some), generator=draws)])
            first = last
        orders.append(torch.cat(mixed) if mixed else stretch)
    return orders
