"""Layers that compute in C while honshi trains or scores a model, and as torch does everywhere else.

Shapes: (b, c, h, w) features.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.jit import is_scripting  # type: ignore[attr-defined]

from honshi.native.convolution import conv_pool
from honshi.native.kernels import kernels
from honshi.runtime import device_of

# Nothing is changed in a model, which other threads may use too: each thread says for itself what it wants.
_compiled: ContextVar[bool] = ContextVar("compiled", default=False)


@contextmanager
def compiled_layers(model: nn.Module) -> Iterator[None]:
    """Inside, in this thread, layers of this room compute in C."""
    if device_of(model).type == "cpu" and any(isinstance(module, PoolingStage) for module in model.modules()):
        kernels()  # so that no epoch has to wait until they are compiled
    before = _compiled.set(True)
    try:
        yield
    finally:
        _compiled.reset(before)


class PoolingStage(nn.Sequential):
    """Layers one after the other, of which the first is a convolution and the second max pooling.

    As long as nobody has put others in their place, inside `compiled_layers` the two are computed in C: the same
    numbers within rounding, in fewer passes over the features.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Features (b, c, h, w) to what the last layer gives."""
        # Two lines, because TorchScript looks for the first, and reads no further then.
        if not is_scripting():  # noqa: SIM102
            if not torch.compiler.is_compiling() and _compiled.get() and len(self) >= 2:
                convolution, pool, *others = self
                features = conv_pool(convolution, pool, features)
                for layer in others:
                    features = layer(features)
                return features
        for layer in self:
            features = layer(features)
        return features
