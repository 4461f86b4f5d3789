"""Layers that a training step computes in another way than the module does by itself.

1. With several processes batch norm normalises by the mini-batch of all, and not by its share.
2. On a CPU this, and 2 x 2 max pooling, go over the features fewer times than by operations of torch, in C:
   `kernels.c`. The numbers are the same within rounding; what the C code does not know, torch computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from honshi.models import Ensemble
from honshi.runtime import device_of
from honshi.training.distributed.world import World
from honshi.training.layers.batch_norm import normalised
from honshi.training.layers.kernels import kernels
from honshi.training.layers.max_pool import halves, pooled

__all__ = ["training_layers"]


@contextmanager
def training_layers(model: nn.Module, world: World) -> Iterator[None]:
    """Inside, the model's layers compute as said above; the modules stay what they are."""
    changed: list[nn.Module] = []
    for module in model.modules():
        if "forward" in vars(module):
            continue  # somebody has seen to it already
        if isinstance(module, _BatchNorm) and world.size > 1:
            module.forward = partial(normalised, world, module)  # type: ignore[method-assign]
        elif isinstance(module, nn.MaxPool2d) and halves(module):
            module.forward = partial(pooled, module)  # type: ignore[method-assign]
        else:
            continue
        changed.append(module)
    if changed and device_of(model).type == "cpu":
        kernels()  # so that no epoch has to wait until they are compiled
    ensembles = [module for module in model.modules() if isinstance(module, Ensemble)] if world.size > 1 else []
    for ensemble in ensembles:
        # All members take part in each step of each process, or they would wait for one another for ever.
        ensemble.smallest_share = 0
    try:
        yield
    finally:
        for module in changed:
            del module.forward
        for ensemble in ensembles:
            del ensemble.smallest_share
