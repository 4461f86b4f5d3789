"""Layers that several processes compute together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from honshi.models import Ensemble
from honshi.training.distributed.batch_norm import normalised
from honshi.training.distributed.world import World


@contextmanager
def shared_layers(model: nn.Module, world: World) -> Iterator[None]:
    """Inside, batch norm normalises by the mini-batch of all processes, and all members of an ensemble take part in
    each step of each process, or they would wait for one another for ever. A process alone changes nothing."""
    modules = list(model.modules()) if world.size > 1 else []
    norms: dict[nn.Module, Callable[[Tensor], Tensor]] = {
        module: partial(normalised, world, module) for module in modules if isinstance(module, _BatchNorm)
    }
    ensembles = [module for module in modules if isinstance(module, Ensemble)]
    with _exchanged_forwards(norms):
        for ensemble in ensembles:
            ensemble.smallest_share = 0
        try:
            yield
        finally:
            for ensemble in ensembles:
                del ensemble.smallest_share


@contextmanager
def _exchanged_forwards(computed: Mapping[nn.Module, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Inside, these modules are computed in this way, unless somebody has given one a forward of its own."""
    own = [module for module in computed if "forward" not in vars(module)]
    for module in own:
        module.forward = computed[module]
    try:
        yield
    finally:
        for module in own:
            del module.forward
