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
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import increment_version

from honshi.native.library import Library, Signature, float32, int32, int64, load, pointer
from honshi.native.tensors import address

# How many linear layers a network may have: the C code has room for no more.
FEWEST_LAYERS, MOST_LAYERS = 2, 16
# What it answers where an image or a label is out of range.
OUTSIDE = -(1 << 63)


class IndexedImages:
    """Images as the network reads them: with a list of the pixels that are not 0."""

    def __init__(self, code: ctypes.CDLL, pixels: Tensor, labels: Tensor, scale: float) -> None:
        """
        Args:
            code: the compiled library.
            pixels: uint8 (n, …), on the CPU.
            labels: int64 (n,).
            scale: what one unit of a pixel is worth, 1 / (255 std).
        """
        self.source = pixels, labels
        self.versions = pixels._version, labels._version
        self.pixels, self.labels = pixels.flatten(1).contiguous(), labels.contiguous()
        count, self.inputs = self.pixels.shape
        # Which pixels are above 0 (n, words of 64), and the scaled sum of each image (n,).
        self.masks = torch.empty(count, -(-self.inputs // 64), dtype=torch.int64, device="cpu")
        self.brightness = torch.empty(count, dtype=torch.float32, device="cpu")
        code.mlp_index(
            address(self.pixels, torch.uint8, (count, self.inputs)),
            count,
            self.inputs,
            scale,
            self.masks.data_ptr(),
            self.brightness.data_ptr(),
        )

    def are(self, pixels: Tensor | None, labels: Tensor) -> bool:
        """Whether it is these images, and nobody has changed them since."""
        before, answers = self.source
        return pixels is before and labels is answers and (before._version, answers._version) == self.versions


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
        self.widths = tuple(widths)
        self.scale = 1 / (255 * std)
        given = np.array(widths, dtype=np.int32)  # (layers + 1,)
        self.net = code.mlp_new(len(widths) - 1, given.ctypes.data, batch_size, self.scale, mean / std)
        if not self.net:
            raise MemoryError("There is not enough memory for a copy of the network.")
        weakref.finalize(self, code.mlp_free, self.net)

    def load(self, layers: Sequence[nn.Linear]) -> None:
        """Take over the weights of a model's layers."""
        for number, addresses in enumerate(self._addresses(layers), start=1):
            self.code.mlp_load(self.net, number, *addresses)

    def store(self, layers: Sequence[nn.Linear]) -> None:
        """Give the weights back to a model's layers."""
        for number, addresses in enumerate(self._addresses(layers), start=1):
            self.code.mlp_store(self.net, number, *addresses)
        increment_version([tensor for layer in layers for tensor in (layer.weight, layer.bias)])

    def _addresses(self, layers: Sequence[nn.Linear]) -> list[tuple[int, int]]:
        """Of the weight and the bias of each layer."""
        return [
            (
                address(layer.weight, torch.float32, (outputs, inputs)),
                address(layer.bias, torch.float32, (outputs,)),
            )
            for layer, (inputs, outputs) in zip(layers, pairwise(self.widths), strict=True)
        ]

    def train(self, images: IndexedImages, order: Tensor, batch_size: int, lr: float, threads: int) -> Steps:
        """Take a step for each mini-batch of the images that `order` names, int64 (at most n,).

        Raises:
            ValueError: there are no such images, their labels are no outputs of this network, or the mini-batches are
                larger than it was made for. Nothing has been done then.
        """
        count = len(images.labels)
        if images.inputs != self.widths[0]:
            raise ValueError(f"needs images of {self.widths[0]} pixels, not {images.inputs}")
        loss_sum, right = ctypes.c_double(), ctypes.c_int64()
        steps = self.code.mlp_train(
            self.net,
            address(images.pixels, torch.uint8, (count, images.inputs)),
            address(images.masks, torch.int64, images.masks.shape),
            address(images.brightness, torch.float32, (count,)),
            address(images.labels, torch.int64, (count,)),
            count,
            address(order, torch.int64, (len(order),)),
            len(order),
            batch_size,
            lr,
            threads,
            ctypes.byref(loss_sum),
            ctypes.byref(right),
        )
        if steps == OUTSIDE:
            raise ValueError(
                f"needs images from 0 to {count - 1}, labels from 0 to {self.widths[-1] - 1}, and mini-batches that fit"
            )
        finite = steps >= 0
        return Steps(steps if finite else -1 - steps, finite, loss_sum.value, right.value)


@cache
def library() -> Library:
    """The C file, compiled."""
    signatures: dict[str, Signature] = {
        "mlp_new": (pointer, [int32, pointer, int32, float32, float32]),
        "mlp_free": (None, [pointer]),
        "mlp_load": (None, [pointer, int32, pointer, pointer]),
        "mlp_store": (None, [pointer, int32, pointer, pointer]),
        "mlp_index": (None, [pointer, int64, int32, float32, pointer, pointer]),
        "mlp_train": (int64, [*[pointer] * 5, int64, pointer, int64, int32, float32, int32, pointer, pointer]),
    }
    return load(resources.files(__package__) / "mlp_sgd.c", signatures)
