"""Labelled images in memory, and how their pixels become the numbers that a model sees.

Shapes: n images, c channels (1 grey, 3 colour), h rows, w columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.utils.data import Dataset

from honshi.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """Mean and standard deviation for each channel, of pixels scaled to [0, 1].

    ``Normalization(mean=(0.5,), std=(0.5,))`` is the lecture's ``Normalize((0.5,), (0.5,))``: it maps
    black to -1 and white to 1.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not all(deviation > 0 for deviation in self.std):
            raise DataError(
                f"A normalisation has a mean and a deviation above 0 for each channel, not {self.mean} and {self.std}."
            )

    @classmethod
    def measured(cls, pixels: Tensor) -> Normalization:
        """The statistics of uint8 pixels (n, c, h, w). Give it the training part only.

        They come from a histogram of the 256 possible values, which is exact and never holds the
        images as floats.
        """
        means, stds = [], []
        values = torch.arange(256, dtype=torch.float64) / 255
        for channel in pixels.cpu().unbind(1):
            counts = torch.bincount(channel.flatten(), minlength=256).double()
            mean = (counts * values).sum() / counts.sum()
            variance = (counts * (values - mean) ** 2).sum() / counts.sum()
            means.append(float(mean))
            # A channel that never varies carries nothing; dividing by 1 keeps it finite. Seen from the
            # counts: the sums above round, and leave a deviation of 1e-17 where it is 0.
            varies = int((counts > 0).sum()) > 1
            stds.append(float(variance.sqrt()) if varies else 1.0)
        return cls(mean=tuple(means), std=tuple(stds))

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pixels (n, c, h, w) as normalised float32 of the same shape, on the same device.

        They are uint8, or float32 from 0 to 255, which are overwritten.
        """
        # In units of [0, 255], so that no pass over the batch is spent on dividing by 255.
        if len(self.mean) == 1:
            return pixels.float().sub_(255 * self.mean[0]).div_(255 * self.std[0])
        mean = torch.tensor(self.mean, device=pixels.device).view(-1, 1, 1) * 255
        std = torch.tensor(self.std, device=pixels.device).view(-1, 1, 1) * 255
        return pixels.float().sub_(mean).div_(std)


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What must happen to a picture before a model trained on some images may see it.

    Attributes:
        shape: (c, h, w) of one image.
        classes: the name of each class.
        normalization: from bytes to what the model sees.
        background: mean brightness of the training images' borders, within [0, 1]; a picture with
            the opposite one (ink on paper, where the model learnt chalk on a board) is worth a warning.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    normalization: Normalization
    background: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Images(Dataset[tuple[Tensor, int]]):
    """Labelled images, held as the bytes they are.

    It is also a ``torch.utils.data.Dataset``: an item is a normalised float32 image (c, h, w) and
    its label, so a ``DataLoader`` and the lecture's own loops take it.

    Attributes:
        pixels: uint8 (n, c, h, w).
        labels: int64 (n,), each from 0 to ``len(classes) - 1``.
        classes: the name of each class.
        normalization: how a model is shown these pixels.
    """

    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    normalization: Normalization = Normalization(mean=(0.5,), std=(0.5,))

    def __post_init__(self) -> None:
        if self.pixels.dtype != torch.uint8 or self.pixels.dim() != 4:
            raise DataError(
                "Images are uint8 of shape (n, channels, height, width), not "
                f"{self.pixels.dtype} of shape {tuple(self.pixels.shape)}."
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.pixels.shape[:1]:
            raise DataError(
                f"{len(self.pixels)} images need as many int64 labels, not {self.labels.dtype} of "
                f"shape {tuple(self.labels.shape)}."
            )
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise DataError(
                f"Labels go from {int(self.labels.min())} to {int(self.labels.max())}; "
                f"with {len(self.classes)} classes they must lie from 0 to {len(self.classes) - 1}."
            )
        if len(self.normalization.mean) not in (1, self.pixels.shape[1]):
            raise DataError(
                f"The normalisation has {len(self.normalization.mean)} channels and the images {self.pixels.shape[1]}."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.normalization(self.pixels[index].unsqueeze(0)).squeeze(0), int(self.labels[index])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w) of one image."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    @property
    def preprocessing(self) -> Preprocessing:
        """How any picture becomes one that a model trained on these images may see."""
        return Preprocessing(
            shape=self.shape,
            classes=self.classes,
            normalization=self.normalization,
            background=border_brightness(self.pixels),
        )

    def to(self, device: torch.device) -> Self:
        """The same images, held on a device."""
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def subset(self, indices: Sequence[int] | Tensor) -> Self:
        """The images at these places, in this order."""
        index = torch.as_tensor(indices, dtype=torch.int64, device=self.pixels.device)
        return replace(self, pixels=self.pixels[index], labels=self.labels[index])

    def normalized_by(self, normalization: Normalization) -> Self:
        """The same images shown to a model in another way."""
        return replace(self, normalization=normalization)

    def class_counts(self) -> list[int]:
        """How many images each class has."""
        return [int(count) for count in torch.bincount(self.labels.cpu(), minlength=len(self.classes))]

    def sha256(self) -> str:
        """A hash of pixels and labels in their order: the same hash, the same images."""
        digest = hashlib.sha256(str(tuple(self.pixels.shape)).encode())
        digest.update(self.pixels.cpu().contiguous().numpy().data)
        digest.update(self.labels.cpu().contiguous().numpy().data)
        return digest.hexdigest()


def border_brightness(pixels: Tensor) -> float:
    """Mean brightness, within [0, 1], of the outermost rows and columns of uint8 pixels (..., h, w)."""
    edges = (pixels[..., 0, :], pixels[..., -1, :], pixels[..., :, 0], pixels[..., :, -1])
    return torch.cat([edge.flatten() for edge in edges]).float().mean().item() / 255
