"""Max pooling: in C where its windows are 2 x 2, by torch elsewhere.

Shapes: (b, c, h, w) features.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from honshi.native.kernels import Kernels, kernels
from honshi.native.tensors import is_watched
from honshi.runtime import is_as_made


def is_two_by_two(pool: nn.Module) -> TypeGuard[nn.MaxPool2d]:
    """Whether it takes windows of 2 x 2 side by side, at odd edges what is left of them."""

    def both(value: Any, number: int) -> bool:
        return value in (number, (number, number))

    return (
        type(pool) is nn.MaxPool2d
        and both(pool.kernel_size, 2)
        and both(pool.stride, 2)
        and both(pool.padding, 0)
        and both(pool.dilation, 1)
        and not pool.return_indices
    )


def keeps_edges(pool: nn.MaxPool2d, inputs: Tensor) -> bool:
    """Whether pooling in windows of 2 x 2 leaves out no pixel of the inputs."""
    return pool.ceil_mode or not (inputs.shape[-2] % 2 or inputs.shape[-1] % 2)


def max_pool(pool: nn.Module, inputs: Tensor) -> Tensor:
    """What a pooling layer does; compiled where it `is_two_by_two`, (b, c, h, w) to (b, c, h/2, w/2).

    Where it is compiled, its gradient cannot be differentiated again.
    """
    if (
        not is_watched(inputs)
        and is_two_by_two(pool)
        and is_as_made(pool)
        and inputs.dim() == 4
        and keeps_edges(pool, inputs)
    ):
        found = kernels() if inputs.is_cpu else None
        if found is not None and found.supports(inputs):
            outputs: Tensor = _MaxPool.apply(inputs, found)  # type: ignore[no-untyped-call]
            return outputs
    return pool(inputs)  # type: ignore[no-any-return]


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, found: Kernels) -> Tensor:
        outputs, ctx.places = found.max_pool(inputs)
        ctx.kernels = found
        ctx.shape = inputs.shape
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.kernels.max_pool_gradient(gradient, ctx.places, ctx.shape), None
