"""The layers of a model that on a CPU are computed in C while it trains or is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn

from honshi.native.convolution import run_stage, starts_with_conv_pool
from honshi.native.kernels import kernels
from honshi.native.max_pool import is_two_by_two, max_pool
from honshi.runtime import device_of


@contextmanager
def compiled_layers(model: nn.Module) -> Iterator[None]:
    """Inside, the model's layers compute as said above; the modules stay what they are."""
    computed: dict[nn.Module, Callable[[Tensor], Tensor]] = {}
    if device_of(model).type == "cpu":
        for module in model.modules():
            if isinstance(module, nn.Sequential) and starts_with_conv_pool(module):
                computed[module] = partial(run_stage, module)
            elif isinstance(module, nn.MaxPool2d) and is_two_by_two(module):
                computed[module] = partial(max_pool, module)
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
