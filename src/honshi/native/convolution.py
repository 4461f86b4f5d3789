"""The first convolution of a network and the pooling behind it, in one go.

The features between the two are the largest of the whole network, and only a quarter of them is needed.

Shapes: (b, 1, h, w) pictures of one channel; c filters.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from honshi.native.kernels import Kernels, kernels
from honshi.native.max_pool import is_two_by_two, keeps_edges, max_pool
from honshi.native.tensors import is_watched
from honshi.runtime import is_as_made


def conv_pool(convolution: nn.Module, pool: nn.Module, images: Tensor) -> Tensor:
    """What a convolution makes of images, and max pooling of that: (b, 1, h, w) to (b, c, ⌈h/2⌉, ⌈w/2⌉).

    Where it is compiled, the images get no gradient, and its gradient cannot be differentiated again. Other layers
    are called one after the other.
    """
    found = None if is_watched(images) or not images.is_cpu else kernels()
    dtype = _dtype_of_features()
    if (
        found is None
        or not isinstance(convolution, nn.Conv2d)
        or not isinstance(pool, nn.MaxPool2d)
        or not are_known(convolution, pool)
        or not found.supports_pictures(images, convolution.weight)
        or not keeps_edges(pool, images)
        or dtype not in (torch.float32, torch.bfloat16)
        or images.requires_grad
    ):
        return max_pool(pool, convolution(images))
    weight = convolution.weight
    if torch.is_grad_enabled() and weight.requires_grad:
        # (b, c, ⌈h/2⌉, ⌈w/2⌉), by a weight (c, 1, 3, 3).
        features: Tensor = _ConvPool.apply(images.contiguous(), weight, dtype, found)  # type: ignore[no-untyped-call]
    else:
        features, _ = found.conv_pool(images.contiguous(), weight, dtype, places=False)
    return features


def are_known(convolution: nn.Conv2d, pool: nn.MaxPool2d) -> bool:
    """Whether these are a 3 x 3 convolution without a bias, with a line of zeros around the picture, and 2 x 2 pooling;
    and whether nobody wants to see what passes through them."""
    return (
        type(convolution) is nn.Conv2d
        and convolution.groups == 1
        and convolution.kernel_size == (3, 3)
        and convolution.stride == (1, 1)
        and convolution.padding in ((1, 1), "same")
        and convolution.padding_mode == "zeros"
        and convolution.dilation == (1, 1)
        and convolution.bias is None
        and is_two_by_two(pool)
        and is_as_made(convolution)
        and is_as_made(pool)
    )


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
