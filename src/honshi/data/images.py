"""Labelled images in memory.

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
from honshi.pictures.contract import InputContract, Normalization, Preprocessing, border_brightness

__all__ = ["Images", "Normalization", "Preprocessing"]

# The lecture's own.
_HALF = Normalization(mean=(0.5,), std=(0.5,))


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
    normalization: Normalization = _HALF

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
    def contract(self) -> InputContract:
        """What a picture must become before a model trained on these images may see it."""
        return InputContract(
            shape=self.shape,
            normalization=self.normalization,
            background=border_brightness(self.pixels),
        )

    @property
    def preprocessing(self) -> Preprocessing:
        """The same together with the classes, to be said of a model: ``model.preprocessing = images.preprocessing``."""
        return Preprocessing.of(self.contract, self.classes)

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
