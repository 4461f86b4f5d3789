"""honshi's readable loop, which `fit` takes for everything that has no faster room of its own."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers.honshi import parts
from honshi.training.epoch import train_epoch


def prepare() -> Callable[[], float]:
    model, criterion, optimizer, batches = parts()

    def epoch() -> float:
        loss, _ = train_epoch(model, criterion, optimizer, batches)
        return loss

    return epoch
