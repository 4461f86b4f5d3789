"""Layers that on a CPU go over the features fewer times than by operations of torch, in C: `kernels.c`.

The numbers are the same within rounding; what the C code does not know, torch computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn

from honshi.layers.convolution import pools_pictures, staged
from honshi.layers.kernels import Kernels, kernels
from honshi.layers.max_pool import halves, pooled
from honshi.runtime import device_of

__all__ = ["Kernels", "compiled_layers", "forwards", "kernels"]


@contextmanager
def compiled_layers(model: nn.Module) -> Iterator[None]:
    """Inside, the model's layers compute as said above; the modules stay what they are."""
    computed: dict[nn.Module, Callable[[Tensor], Tensor]] = {}
    if device_of(model).type == "cpu":
        for module in model.modules():
            if isinstance(module, nn.Sequential) and pools_pictures(module):
                computed[module] = partial(staged, module)
            elif isinstance(module, nn.MaxPool2d) and halves(module):
                computed[module] = partial(pooled, module)
    if computed:
        kernels()  # so that no epoch has to wait until they are compiled
    with forwards(computed):
        yield


@contextmanager
def forwards(computed: Mapping[nn.Module, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Inside, these modules are computed so; but where somebody has seen to it already."""
    own = [module for module in computed if "forward" not in vars(module)]
    for module in own:
        module.forward = computed[module]
    try:
        yield
    finally:
        for module in own:
            del module.forward
