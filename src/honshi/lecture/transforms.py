"""From a picture to what a model is shown, one step after the other: the lecture's `transforms`.

Shapes: c channels, h rows, w columns of one picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from honshi.errors import ArgumentError
from honshi.pictures.contract import Normalization


class Compose:
    """Several steps as one."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        """
        Args:
            transforms: the steps, in their order.
        """
        self.transforms = transforms

    def __call__(self, picture: Any) -> Any:
        for transform in self.transforms:
            picture = transform(picture)
        return picture

    def __repr__(self) -> str:
        steps = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"Compose({steps}\n)"


class ToTensor:
    """A picture, PIL or uint8 (h, w) or (h, w, c), to float32 (c, h, w) from 0 to 1."""

    def __call__(self, picture: Image.Image | NDArray[np.uint8]) -> Tensor:
        """
        Raises:
            ArgumentError: it is none of these.
        """
        pixels = np.array(picture)
        if pixels.dtype == np.bool_:
            pixels = pixels.astype(np.uint8) * np.uint8(255)
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
            raise ArgumentError(
                "ToTensor takes a picture, or uint8 pixels (h, w) or (h, w, c), not {kind} of shape {shape}.",
                kind=str(pixels.dtype),
                shape=pixels.shape,
            )
        tensor = torch.from_numpy(pixels if pixels.ndim == 3 else pixels[..., None])
        return tensor.permute(2, 0, 1).contiguous().float().div_(255)

    def __repr__(self) -> str:
        return "ToTensor()"


class Normalize:
    """Of each channel of float (c, h, w) its mean off, and what is left divided by its deviation."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """
        Args:
            mean, std: of each channel (c).

        Raises:
            DataError: these are not a mean and a deviation above 0 for each channel.
        """
        self.normalization = Normalization(mean=tuple(mean), std=tuple(std))

    def __call__(self, tensor: Tensor) -> Tensor:
        """
        Raises:
            ArgumentError: there are other channels, or no floats.
        """
        mean, std = (
            torch.tensor(numbers).view(-1, 1, 1) for numbers in (self.normalization.mean, self.normalization.std)
        )
        if not tensor.is_floating_point() or tensor.dim() != 3 or len(mean) not in (1, len(tensor)):
            raise ArgumentError(
                "Normalize with {channels} means takes floats of shape ({channels}, h, w), as ToTensor gives them, not "
                "{kind} of shape {shape}.",
                channels=len(mean),
                kind=str(tensor.dtype).removeprefix("torch."),
                shape=tuple(tensor.shape),
            )
        return (tensor - mean) / std

    def __repr__(self) -> str:
        return f"Normalize(mean={self.normalization.mean}, std={self.normalization.std})"
