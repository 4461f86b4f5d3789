"""Batch norm in training mode, by the mini-batch of all processes (Ioffe and Szegedy, "Batch normalization", 2015).

Shapes: b images in a share, each (c, …).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from honshi.models.modes import full_precision
from honshi.training.distributed.world import World


def normalised(world: World, norm: _BatchNorm, inputs: Tensor) -> Tensor:
    """What `torch.nn.BatchNorm2d` and its like do, (b, c, …) to the same shape.

    `torch.nn.SyncBatchNorm` does it over several processes too, on CUDA alone.
    """
    if not norm.training or inputs.shape[1] != norm.num_features:
        return type(norm).forward(norm, inputs)  # which says what is wrong
    outputs: Tensor = _Normalise.apply(inputs, norm.weight, norm.bias, norm, world)  # type: ignore[no-untyped-call]
    return outputs


class _Normalise(torch.autograd.Function):
    """Batch norm whose gradient knows that all inputs of all processes made the moments."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor | None, bias: Tensor | None, norm: _BatchNorm, world: World
    ) -> Tensor:
        sums = _sums(inputs)  # (2 c + 1,)
        world.add_up(sums)
        ctx.count = float(sums[-1])
        # (2, c) both.
        ctx.moments, factors = _moments(norm, sums, _momentum(norm) if ctx.count else None)
        ctx.save_for_backward(inputs)
        ctx.norm, ctx.world = norm, world
        return _scaled(inputs, factors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (inputs,) = ctx.saved_tensors
        last = inputs.dim() == 4 and inputs.is_contiguous(memory_format=torch.channels_last)
        gradient = gradients[0].contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
        # Those of weight and bias are of this process alone: they are added up with those of all other weights.
        sums, to_weights = _gradient_sums(gradient, inputs, ctx.moments)  # (2, c) both
        ctx.world.add_up(sums)
        factors = _gradient_factors(ctx.norm, sums, ctx.moments, ctx.count)  # (3, c)
        to_weight = to_weights[0].to(ctx.norm.weight.dtype) if ctx.needs_input_grad[1] else None
        to_bias = to_weights[1].to(ctx.norm.bias.dtype) if ctx.needs_input_grad[2] else None
        to_inputs = _scaled(gradient, factors, inputs)
        return to_inputs, to_weight, to_bias, None, None


def _momentum(norm: _BatchNorm) -> float | None:
    """By how much the running moments move at this step."""
    if not norm.track_running_stats or norm.num_batches_tracked is None:
        return None
    norm.num_batches_tracked.add_(1)
    # Without a momentum it is the mean over all mini-batches.
    return 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum


def _sums(inputs: Tensor) -> Tensor:
    """The sum of each channel, its sum of squares, and how many numbers each has, float64 (2 c + 1,)."""
    channels = inputs.shape[1]
    count = inputs.numel() // channels
    if not count:
        return torch.zeros(2 * channels + 1, dtype=torch.float64, device=inputs.device)
    # It would round moments to the 16 bits of the inputs.
    mean, variance = torch.batch_norm_update_stats(full_precision(inputs), None, None, 0.0)
    # In float64, in which the difference of large sums is still exact enough.
    mean, variance = mean.double(), variance.double()
    return torch.cat([mean, variance + mean**2, mean.new_ones(1)]) * count  # (2 c + 1,)


def _moments(norm: _BatchNorm, sums: Tensor, momentum: float | None) -> tuple[Tensor, Tensor]:
    """Mean and inverse deviation, float64 (2, c), and the factors that normalise by them (2, c).

    The running moments take a step of momentum towards them, if there is one.
    """
    count = sums[-1].clamp(min=1)  # where nobody had anything all is 0
    mean, square = (sums[:-1] / count).view(2, -1)  # (c,) both
    variance = (square - mean**2).clamp(min=0)
    if momentum is not None and norm.running_mean is not None and norm.running_var is not None:
        unbiased = variance * (count / (count - 1).clamp(min=1))
        norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
        norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), momentum)
    inverse = (variance + norm.eps).rsqrt()
    scale = inverse if norm.weight is None else inverse * norm.weight
    shift = (0 if norm.bias is None else norm.bias) - mean * scale
    return torch.stack([mean, inverse]), torch.stack([scale, shift])


def _gradient_sums(gradient: Tensor, inputs: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
    """For each channel the sum of the gradient and of its product with inputs - mean, float64 (2, c); and the
    gradients with respect to weight and bias (2, c)."""
    if not len(inputs):
        return torch.zeros_like(moments), torch.zeros_like(moments)
    mean = moments[0].to(torch.promote_types(inputs.dtype, torch.float32))
    one = torch.ones_like(mean)
    # By moments that are given, so that these are sums over the inputs of this process alone.
    _, product, total = torch.ops.aten.native_batch_norm_backward(
        gradient, inputs, one, mean, one, None, None, False, 0.0, [False, True, True]
    )
    sums = torch.stack([total, product]).double()
    return sums, torch.stack([sums[1] * moments[1], sums[0]])


def _gradient_factors(norm: _BatchNorm, sums: Tensor, moments: Tensor, count: float) -> Tensor:
    """What turns the gradient with respect to the outputs, and the inputs, into that with respect to the inputs
    (3, c)."""
    mean, inverse = moments
    scale = inverse if norm.weight is None else inverse * norm.weight
    by_mean, by_deviation = sums * scale / max(count, 1)
    slope = by_deviation * inverse**2
    return torch.stack([scale, slope * mean - by_mean, -slope])


def _scaled(inputs: Tensor, factors: Tensor, other: Tensor | None = None) -> Tensor:
    """For each channel inputs x factors[0] + factors[1] (+ other x factors[2]); factors are (2 or 3, c)."""
    factors = factors.to(torch.promote_types(inputs.dtype, torch.float32))
    factors = factors.view(len(factors), 1, -1, *[1] * (inputs.dim() - 2))  # (2 or 3, 1, c, …)
    outputs = torch.addcmul(factors[1], inputs, factors[0])
    if other is not None:
        outputs.addcmul_(other, factors[2])
    return outputs.to(inputs.dtype)
