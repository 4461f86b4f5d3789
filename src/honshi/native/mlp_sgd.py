"""The C code of the compiled epochs: a network of linear layers with ReLU between them, and its training by plain SGD.

Shapes: n images, each of d(0) pixels; layer l goes from d(l-1) to d(l) numbers.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import torch
from torch import Tensor, nn

from honshi.native.library import Signature, float32, int32, int64, load, pointer

# How many linear layers the C code has room for.
FEWEST_LAYERS, MOST_LAYERS = 2, 16


class IndexedImages:
    """Images as the network reads them: with a list of the pixels that are not 0."""

    def __init__(self, code: ctypes.CDLL, pixels: Tensor, labels: Tensor, scale: float) -> None:
        """
        Args:
            code: the compiled library.
            pixels: uint8 (n, …), on the CPU.
            labels: int64 (n,).
            scale: what a pixel counts, 1 / (255 std).
        """
        self.pixels, self.labels = pixels.contiguous(), labels.contiguous()
        count, inputs = len(labels), pixels[0].numel()
        # Which pixels are above 0 (n, words of 64), and the scaled sum of each image (n,).
        self.masks = torch.empty(count, -(-inputs // 64), dtype=torch.int64, device="cpu")
        self.brightness = torch.empty(count, dtype=torch.float32, device="cpu")
        code.mlp_index(self.pixels.data_ptr(), count, inputs, scale, self.masks.data_ptr(), self.brightness.data_ptr())


@dataclass(frozen=True)
class Steps:
    """What some steps in a row came to.

    Attributes:
        done: how many were taken.
        finite: whether all losses were; the step of one that was not is not taken.
        loss_sum: of the images of the steps that were taken.
        right: how many of the answers were.
    """

    done: int
    finite: bool
    loss_sum: float
    right: int


class Network:
    """A copy of a model's linear layers in the memory of the C code."""

    def __init__(self, code: ctypes.CDLL, widths: Sequence[int], batch_size: int, mean: float, std: float) -> None:
        """
        Args:
            code: the compiled library.
            widths: d(0), d(1), ….
            batch_size: images in the largest mini-batch.
            mean, std: by which pixels within [0, 1] are normalised.

        Raises:
            MemoryError: there is not enough memory for it.
        """
        self.code = code
        self.scale = 1 / (255 * std)
        given = np.array(widths, dtype=np.int32)
        self.address = code.mlp_new(len(widths) - 1, given.ctypes.data, batch_size, self.scale, mean / std)
        if not self.address:
            raise MemoryError("There is not enough memory for a copy of the network.")
        weakref.finalize(self, code.mlp_free, self.address)

    def load(self, layers: Sequence[nn.Linear]) -> None:
        """Take over the weights of a model's layers."""
        for number, layer in enumerate(layers, start=1):
            self.code.mlp_load(self.address, number, layer.weight.data_ptr(), layer.bias.data_ptr())

    def store(self, layers: Sequence[nn.Linear]) -> None:
        """Give the weights back to a model's layers."""
        for number, layer in enumerate(layers, start=1):
            self.code.mlp_store(self.address, number, layer.weight.data_ptr(), layer.bias.data_ptr())

    def train(self, images: IndexedImages, order: Tensor, batch_size: int, lr: float, threads: int) -> Steps:
        """Take a step for each mini-batch of the images that `order` names, int64 (at most n,)."""
        loss_sum, right = ctypes.c_double(), ctypes.c_int64()
        steps = self.code.mlp_train(
            self.address,
            images.pixels.data_ptr(),
            images.masks.data_ptr(),
            images.brightness.data_ptr(),
            images.labels.data_ptr(),
            order.data_ptr(),
            len(order),
            batch_size,
            lr,
            threads,
            ctypes.byref(loss_sum),
            ctypes.byref(right),
        )
        finite = steps >= 0
        return Steps(steps if finite else -1 - steps, finite, loss_sum.value, right.value)


@cache
def library() -> ctypes.CDLL | None:
    """The compiled library; None where it cannot be compiled."""
    signatures: dict[str, Signature] = {
        "mlp_new": (pointer, [int32, pointer, int32, float32, float32]),
        "mlp_free": (None, [pointer]),
        "mlp_load": (None, [pointer, int32, pointer, pointer]),
        "mlp_store": (None, [pointer, int32, pointer, pointer]),
        "mlp_index": (None, [pointer, int64, int32, float32, pointer, pointer]),
        "mlp_train": (int64, [*[pointer] * 6, int64, int32, float32, int32, pointer, pointer]),
    }
    return load(resources.files(__package__) / "mlp_sgd.c", signatures)
