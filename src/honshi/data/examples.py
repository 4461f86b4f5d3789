"""Labelled pictures, wherever they lie: what training, scoring, checks, splits and the exam ask of data.

A source of pictures is a class with labels, the shape of a picture, and ``gather``. Whether they lie in memory, in a
file or are made when they are asked for is its own affair.

Shapes: n images, c channels (1 grey, 3 colour), h rows, w columns.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from honshi.errors import DataError
from honshi.pictures.contract import InputContract, Normalization, Preprocessing, Scale, border_brightness
from honshi.pictures.digits import FORM_SHAPE, has_form

# About how many bytes of pixels are looked at in one go by whatever goes through all images.
BLOCK_BYTES = 8 << 20
# Of how many bytes of pixels the mean brightness of borders is taken: a mean that is known well enough.
LOOKED_AT_BYTES = 256 << 20
# A digest: SHA-256 of the pixels, then the label.
PIXELS_DIGEST, LABEL_DIGEST = 32, 8


# Gives the pixels of some images, by their places, on a device: uint8 (b, c, h, w).
Gather: TypeAlias = Callable[[Tensor, torch.device | None], Tensor]


class Examples(Dataset[tuple[Tensor, int]], ABC):
    """Labelled uint8 images of one shape.

    It is also a ``torch.utils.data.Dataset``: an item is a normalised float32 image (c, h, w) and its label, so a
    ``DataLoader`` and the lecture's own loops take it.

    Attributes:
        labels: int64 (n,) on the CPU, each from 0 to ``len(classes) - 1``.
        classes: the name of each class.
        normalization: how a model is shown these pixels.
        numbers: what the data call each class, where that is not its place; by it an image is known.
        fit, scale: how a picture of any other size became one of these; see `InputContract`.
        contents: uint8 (n, 32), SHA-256 of what each was before that, where it was a picture of someone's own.
        homes: int64 (n,), the file of each, where whole files are to be read one after the other; None where the
            images can be read in any order.
    """

    labels: Tensor
    classes: tuple[str, ...]
    normalization: Normalization
    numbers: tuple[int, ...] | None = None
    fit: Literal["pad", "crop", "stretch"] = "pad"
    scale: Scale = Scale()
    contents: NDArray[np.uint8] | None = None
    homes: Tensor | None = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w) of one image."""

    @abstractmethod
    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        """The pixels of some images.

        Args:
            places: int64 (b,), on any device, in any order.
            device: where they are wanted; where they lie, if left out.

        Returns:
            uint8 (b, c, h, w), the caller's own.
        """

    @contextmanager
    def reading(self, order: Tensor) -> Iterator[Gather]:
        """What gathers these images in this order, as `gather` does: for an epoch, in which each comes once.

        Args:
            order: places, int64, in the order in which they will be asked for.
        """
        yield self.gather

    @property
    def pixels_in_memory(self) -> Tensor | None:
        """All pixels, uint8 (n, c, h, w), where they are in memory anyway: for what is quicker with them."""
        return None

    def to(self, device: torch.device) -> Examples:
        """The same examples, their pixels held on a device where they are held at all."""
        return self

    def blocks(self) -> Iterator[Tensor]:
        """All pixels in their order, uint8 (b, c, h, w) at a time, to be looked at and left as they are."""
        for places in torch.arange(len(self)).split(self._block):
            yield self.gather(places)

    def _evenly(self, most: int) -> Tensor:
        """The places of all images, or of so many as have about that many bytes of pixels, evenly spaced."""
        count = max(1, most // math.prod(self.shape))
        return torch.arange(0, len(self), max(1, -(-len(self) // count)))

    @property
    def _block(self) -> int:
        """How many images are looked at in one go."""
        return max(1, BLOCK_BYTES // math.prod(self.shape))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        place = range(len(self))[index]  # counts from the end too, and ends an iteration
        return self.normalization(self.gather(torch.tensor([place]))).squeeze(0), int(self.labels[place])

    def subset(self, indices: Sequence[int] | Tensor) -> Examples:
        """The images at these places, in this order."""
        return Selected(self, places_among(indices, len(self)), self.normalization)

    def normalized_by(self, normalization: Normalization) -> Examples:
        """The same images shown to a model in another way."""
        return Selected(self, torch.arange(len(self)), normalization)

    def class_counts(self) -> list[int]:
        """How many images each class has."""
        return [int(count) for count in torch.bincount(self.labels, minlength=len(self.classes))]

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        """What each image is, uint8 (n, 40): SHA-256 of its decoded pixels, then its label, big endian."""
        size, digest = math.prod(self.shape), hashlib.sha256
        pixels = bytearray()
        for block in self.blocks():
            values = block.cpu().flatten().numpy().data
            pixels += b"".join([digest(values[at : at + size]).digest() for at in range(0, len(values), size)])
        labels = labels_as_bytes(self._numbers_of_labels)
        return np.hstack([np.frombuffer(pixels, np.uint8).reshape(-1, PIXELS_DIGEST), labels])

    @property
    def _numbers_of_labels(self) -> Tensor:
        return self.labels if self.numbers is None else torch.tensor(self.numbers)[self.labels]

    @cached_property
    def identity(self) -> str:
        """Which set of images this is, by content: decoded pixels and labels, in whatever order and wherever they lie.

        It is the hash of the sorted digests.
        """
        each = np.sort(np.ascontiguousarray(self.digests).view(f"S{PIXELS_DIGEST + LABEL_DIGEST}"), axis=0)
        return hashlib.sha256(str(self.shape).encode() + each.tobytes()).hexdigest()

    def sha256(self) -> str:
        """A hash of pixels and labels in their order, by which the first runs knew their images."""
        digest = hashlib.sha256(str((len(self), *self.shape)).encode())
        for block in self.blocks():
            digest.update(block.cpu().flatten().numpy().data)
        digest.update(self._numbers_of_labels.contiguous().numpy().data)
        return digest.hexdigest()

    @property
    def contract(self) -> InputContract:
        """What a picture must become before a model trained on these images may see it."""
        some = self._evenly(LOOKED_AT_BYTES)
        brightness = sum(len(block) * border_brightness(self.gather(block)) for block in some.split(self._block))
        form = self.shape == FORM_SHAPE and has_form(self.gather(torch.arange(len(self))[:: len(self) // 200 + 1]))
        return InputContract(
            shape=self.shape,
            normalization=self.normalization,
            fit=self.fit,
            scale=self.scale,
            background=brightness / max(1, len(some)),
            form="mnist" if form else None,
        )

    @property
    def preprocessing(self) -> Preprocessing:
        """The same together with the classes, to be said of a model: ``model.preprocessing = images.preprocessing``."""
        return Preprocessing.of(self.contract, self.classes)


class Selected(Examples):
    """Some of the images of a set, in an order of their own; the set still holds them."""

    def __init__(self, whole: Examples, places: Tensor, normalization: Normalization) -> None:
        """
        Args:
            whole: the set.
            places: int64 (n,), in it.
            normalization: how a model is shown these.
        """
        self.whole = whole
        self.places = places
        self.normalization = normalization
        self.classes = whole.classes
        self.numbers = whole.numbers
        self.labels = whole.labels[places]
        self.fit = whole.fit
        self.scale = whole.scale
        if whole.contents is not None:
            self.contents = whole.contents[places.numpy()]
        if whole.homes is not None:
            self.homes = whole.homes[places]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.whole.shape

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self.whole.digests[self.places.numpy()]
        return found

    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        return self.whole.gather(self.places[places.cpu()], device)

    @contextmanager
    def reading(self, order: Tensor) -> Iterator[Gather]:
        with self.whole.reading(self.places[order.cpu()]) as gather:
            yield lambda places, device: gather(self.places[places.cpu()], device)

    def to(self, device: torch.device) -> Selected:
        return Selected(self.whole.to(device), self.places, self.normalization)

    def subset(self, indices: Sequence[int] | Tensor) -> Selected:
        return Selected(self.whole, self.places[places_among(indices, len(self))], self.normalization)

    def normalized_by(self, normalization: Normalization) -> Selected:
        return Selected(self.whole, self.places, normalization)


def labels_as_bytes(labels: Tensor) -> NDArray[np.uint8]:
    """How labels, int64 (n,), stand in digests: big endian, uint8 (n, 8)."""
    return labels.numpy().astype(">i8").view(np.uint8).reshape(-1, LABEL_DIGEST)


def places_among(indices: Sequence[int] | Tensor, count: int) -> Tensor:
    """Indices into so many images as int64 places on the CPU; negative ones count from the end.

    Args:
        indices: places, or for each image whether it is wanted.
        count: the images.

    Raises:
        DataError: they are neither, or there are no such images.
    """
    try:
        places = torch.as_tensor(indices, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError("Places of images are whole numbers, not {kind}.", kind=type(indices).__name__) from error
    if places.dtype == torch.bool and places.shape == (count,):
        return places.nonzero().flatten()
    if not places.numel():
        return torch.empty(0, dtype=torch.int64)
    if places.dim() != 1 or places.dtype == torch.bool or places.is_floating_point() or places.is_complex():
        raise DataError(
            "Places of images are whole numbers, or True or False for each of the {count:,}, not {kind} of shape "
            "{shape}.",
            count=count,
            kind=str(places.dtype).removeprefix("torch."),
            shape=tuple(places.shape),
        )
    # By NumPy: torch would wake all its threads for so little.
    values = places.numpy()
    low, high = int(values.min()), int(values.max())
    if low < -count or high >= count:
        raise DataError(
            "There are {count:,} images, with places from 0 to {last:,}; these go from {low:,} to {high:,}.",
            count=count,
            last=count - 1,
            low=low,
            high=high,
        )
    places = places.long()
    return torch.where(places < 0, places + count, places) if low < 0 else places
