"""Examples brought to what a model wants, as they are asked for: another size, grey as three colours.

Shapes: n images, c channels (1 grey, 3 colour), h rows, w columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from honshi.data.examples import Examples
from honshi.pictures.contract import InputContract, Normalization
from honshi.pictures.prepare import prepare


class Fitted(Examples):
    """The images of a set as a contract wants them. They are the same images, and known as such."""

    def __init__(self, whole: Examples, contract: InputContract) -> None:
        """
        Args:
            whole: the set; it still holds the images as they are.
            contract: of the model.
        """
        self.whole = whole
        self.wanted = contract
        self.normalization = contract.normalization
        self.classes = whole.classes
        self.numbers = whole.numbers
        self.labels = whole.labels

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.wanted.shape

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        return self.whole.digests

    @property
    def identity(self) -> str:
        return self.whole.identity

    @property
    def contract(self) -> InputContract:
        known = self.whole.contract
        # Where only the colours differ, the images were fitted when they were read.
        fit = known.fit if known.shape[1:] == self.wanted.shape[1:] else self.wanted.fit
        return replace(self.wanted, fit=fit, background=known.background, scale=known.scale)

    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        pixels = self.whole.gather(places, torch.device("cpu"))
        if pixels.shape[2:] != self.wanted.shape[1:]:
            alike = replace(self.wanted, shape=(pixels.shape[1], *self.wanted.shape[1:]))
            resized = [prepare(image, alike) for image in pixels]
            pixels = torch.stack(resized) if resized else pixels.new_empty(0, *alike.shape)
        return in_channels(pixels, self.wanted.shape[0]).to(device)

    def subset(self, indices: Sequence[int] | Tensor) -> Examples:
        return Fitted(self.whole.subset(indices), self.wanted)

    def normalized_by(self, normalization: Normalization) -> Examples:
        return Fitted(self.whole, replace(self.wanted, normalization=normalization))


def brought_to(examples: Examples, contract: InputContract) -> Examples:
    """Examples as a model wants them; itself where it has that shape already."""
    if isinstance(examples, Fitted):
        examples = examples.whole
    if examples.shape == contract.shape:
        return examples.normalized_by(contract.normalization)
    return Fitted(examples, contract)


def in_channels(pixels: Tensor, channels: int) -> Tensor:
    """Images (n, c, h, w) with so many channels: grey repeated, colours as their brightness."""
    if pixels.shape[1] == channels:
        return pixels
    if pixels.shape[1] == 1:
        return pixels.expand(-1, channels, -1, -1).contiguous()
    red, green, blue = pixels[:, :3].float().unbind(1)
    # ITU-R BT.601, as Pillow makes grey of RGB.
    grey = (0.299 * red + 0.587 * green + 0.114 * blue).round().to(torch.uint8)
    return grey.unsqueeze(1).expand(-1, channels, -1, -1).contiguous()
