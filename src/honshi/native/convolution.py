"""The first convolution of a network and the pooling behind it, in one go.

The features between the two are the largest of the whole network, and only a quarter of them is needed.

Shapes: (b, 1, h, w) pictures of one channel; c filters.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from honshi.native.kernels import LANES, Kernels, kernels
from honshi.native.max_pool import is_traced, is_two_by_two, keeps_edges
from honshi.runtime import has_hooks


def starts_with_conv_pool(stage: nn.Sequential) -> bool:
    """Whether it begins with a 3 x 3 convolution of one channel without a bias, with a line of zeros around the
    picture, and with 2 x 2 max pooling."""
    if type(stage) is not nn.Sequential or len(stage) < 2:
        return False
    convolution, pool = stage[0], stage[1]
    return (
        type(convolution) is nn.Conv2d
        and convolution.in_channels == 1
        and convolution.out_channels % LANES == 0
        and convolution.kernel_size == (3, 3)
        and convolution.stride == (1, 1)
        and convolution.padding in ((1, 1), "same")
        and convolution.padding_mode == "zeros"
        and convolution.dilation == (1, 1)
        and convolution.bias is None
        and isinstance(pool, nn.MaxPool2d)
        and is_two_by_two(pool)
        and not any("forward" in vars(layer) for layer in (convolution, pool))
    )


def run_stage(stage: nn.Sequential, images: Tensor) -> Tensor:
    """What a stage that `starts_with_conv_pool` makes of images: (b, 1, h, w) to what its last layer gives.

    Where it is compiled it gives the images no gradient, and its gradient has no gradient.
    """
    convolution, pool, *others = stage
    features = _conv_pool(convolution, pool, images)  # type: ignore[arg-type]
    for layer in others:
        features = layer(features)
    return features


def _conv_pool(convolution: nn.Conv2d, pool: nn.MaxPool2d, images: Tensor) -> Tensor:
    watched = images.requires_grad or is_traced(images) or has_hooks(convolution) or has_hooks(pool)
    found = None if watched else kernels()
    weight, dtype = convolution.weight, _dtype_of_features()
    if (
        found is None
        or not found.supports_pictures(images, weight)
        or not keeps_edges(pool, images)
        or dtype not in (torch.float32, torch.bfloat16)
    ):
        features: Tensor = pool(convolution(images))
    elif torch.is_grad_enabled() and weight.requires_grad:
        features = _ConvPool.apply(images.contiguous(), weight, dtype, found)  # type: ignore[no-untyped-call]
    else:
        features, _ = found.conv_pool(images.contiguous(), weight, dtype, places=False)
    return features


def _dtype_of_features() -> torch.dtype:
    """What a convolution of float32 gives on the CPU."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


class _ConvPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, dtype: torch.dtype, found: Kernels) -> Tensor:
        outputs, ctx.places = found.conv_pool(images, weight, dtype, places=True)
        ctx.save_for_backward(images, weight)
        ctx.kernels = found
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None, None]:
        images, weight = ctx.saved_tensors
        return None, ctx.kernels.conv_pool_gradient(gradient, images, weight, ctx.places), None, None
