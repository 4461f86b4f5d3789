"""Batch norm by the mini-batch of all processes.

Shapes: b images in a share, each (c, …).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm

from honshi.models import Ensemble
from honshi.training.distributed.world import World


@contextmanager
def whole_batch_norm(model: nn.Module, world: World) -> Iterator[None]:
    """Inside, batch norm in training mode normalises by the mini-batch of all processes, and not by its share.

    `torch.nn.SyncBatchNorm` does the same on CUDA alone. The modules stay what they are.
    """
    if world.size == 1:
        yield
        return
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    ensembles = [module for module in model.modules() if isinstance(module, Ensemble)]
    for norm in norms:
        norm.forward = partial(_normalise, world, norm)  # type: ignore[method-assign]
    for ensemble in ensembles:
        # All members take part in each step of each process, or they would wait for one another for ever.
        ensemble.smallest_share = 0
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward
        for ensemble in ensembles:
            del ensemble.smallest_share


def _normalise(world: World, norm: _BatchNorm, inputs: Tensor) -> Tensor:
    """What `torch.nn.BatchNorm2d` and its like do, (b, c, …) to the same shape."""
    if not norm.training:
        return type(norm).forward(norm, inputs)
    mean, variance, count = _moments(world, inputs)
    if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None and count:
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        # Without a momentum it is the mean over all mini-batches.
        momentum = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
        unbiased = variance * (count / max(count - 1, 1))
        norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), momentum)
    weight = norm.weight if norm.affine else torch.ones_like(mean)
    bias = norm.bias if norm.affine else torch.zeros_like(mean)
    outputs: Tensor = _Normalise.apply(  # type: ignore[no-untyped-call]
        world, inputs, weight, bias, mean, variance, count, norm.eps
    )
    return outputs


def _moments(world: World, inputs: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and variance (c) of the channels over all processes, float32, and of how many numbers each is."""
    channels = inputs.shape[1]
    sums = torch.zeros(2 * channels + 1, dtype=torch.float64, device=inputs.device)
    count = inputs.numel() // channels
    if count:
        with torch.no_grad():
            mean, variance = torch.batch_norm_update_stats(inputs, None, None, 0.0)
        # In float64, in which the difference of large sums is still exact enough.
        mean, variance = mean.double(), variance.double()
        sums = torch.cat([mean * count, (variance + mean**2) * count, sums.new_tensor([count])])
    world.add_up(sums)
    total = int(sums[-1])
    mean, square = (sums[:-1] / max(total, 1)).view(2, channels)
    return mean.float(), (square - mean**2).clamp(min=0).float(), total


class _Normalise(torch.autograd.Function):
    """Batch norm by given moments, whose gradient knows that all inputs of all processes made them."""

    @staticmethod
    def forward(
        ctx: Any,
        world: World,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        count: int,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(inputs, weight, mean, variance)
        ctx.world = world
        ctx.count = count
        ctx.eps = eps
        if not len(inputs):
            return inputs.clone()
        return batch_norm(inputs, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        inputs, weight, mean, variance = ctx.saved_tensors
        if len(inputs):
            # Of fixed moments, so these are the sums over the images of this process alone.
            _, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
                gradient, inputs, weight, mean, variance, None, None, False, ctx.eps, [False, True, True]
            )
        else:
            to_weight, to_bias = torch.zeros_like(weight), torch.zeros_like(weight)
        sums = torch.stack([to_weight, to_bias])
        ctx.world.add_up(sums)
        # Each input moves its own output, and through the mean and the variance those of all.
        scale = (variance + ctx.eps).rsqrt()
        own = weight * scale
        slope = own * scale * sums[0] / max(ctx.count, 1)
        offset = own * sums[1] / max(ctx.count, 1) - slope * mean
        shape = (1, -1) + (1,) * (inputs.dim() - 2)
        own, slope, offset = (factor.to(inputs.dtype).view(shape) for factor in (own, slope, offset))
        to_inputs = torch.addcmul(-offset, inputs, slope, value=-1).addcmul_(gradient, own)
        return None, to_inputs, to_weight, to_bias, None, None, None, None
