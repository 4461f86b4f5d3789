"""Labelled images in memory.

Shapes: n images, c channels (1 grey, 3 colour), h rows, w columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from honshi.data.examples import Examples, places_among
from honshi.errors import DataError
from honshi.pictures.contract import LECTURE, Normalization, Scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Images(Examples):
    """Labelled images, held as the bytes they are.

    Pixels and labels may be given as NumPy arrays too.

    Attributes:
        pixels: uint8 (n, c, h, w).
        labels: int64 (n,), each from 0 to ``len(classes) - 1``; on the CPU wherever the pixels are.
        classes: the name of each class.
        normalization: how a model is shown these pixels.
        numbers: what the data call each class, where that is not its place.
        fit, scale: how a picture of any other size became one of these; see `InputContract`.
    """

    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    normalization: Normalization = LECTURE
    numbers: tuple[int, ...] | None = None
    fit: Literal["pad", "crop", "stretch"] = "pad"
    scale: Scale = field(default_factory=Scale)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", _tensor(self.pixels))
        object.__setattr__(self, "labels", _tensor(self.labels).cpu())
        if self.pixels.dtype != torch.uint8 or self.pixels.dim() != 4 or 0 in self.pixels.shape[1:]:
            raise DataError(
                "Images are uint8 of shape (n, channels, height, width), not {dtype} of shape {shape}.",
                dtype=self.pixels.dtype,
                shape=tuple(self.pixels.shape),
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.pixels.shape[:1]:
            raise DataError(
                "{count} images need as many int64 labels, not {dtype} of shape {shape}.",
                count=len(self.pixels),
                dtype=self.labels.dtype,
                shape=tuple(self.labels.shape),
            )
        if not isinstance(self.normalization, Normalization):
            raise DataError(
                "normalization is a honshi.Normalization, not a {kind}.", kind=type(self.normalization).__name__
            )
        named: Any = self.classes  # what was given
        if isinstance(named, (set, dict)) or not isinstance(named, Iterable):
            raise DataError(
                "classes are the names of the classes in their order, such as ('cat', 'dog'), not a {kind}.",
                kind=type(named).__name__,
            )
        object.__setattr__(self, "classes", tuple(map(str, named)))
        labels = self.labels.numpy()
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self.classes):
            raise DataError(
                "Labels go from {low} to {high}; with {classes} classes they must lie from 0 to {last}.",
                low=int(labels.min()),
                high=int(labels.max()),
                classes=len(self.classes),
                last=len(self.classes) - 1,
            )
        if len(self.normalization.mean) not in (1, self.pixels.shape[1]):
            raise DataError(
                "The normalisation has {given} channels and the images {channels}.",
                given=len(self.normalization.mean),
                channels=self.pixels.shape[1],
            )

    @classmethod
    def of(cls, examples: Examples) -> Self:
        """The same images held in memory; what each is need not be found out again."""
        images = cls(
            pixels=examples.gather(torch.arange(len(examples))),
            labels=examples.labels,
            classes=examples.classes,
            normalization=examples.normalization,
            numbers=examples.numbers,
            fit=examples.fit,
            scale=examples.scale,
        )
        images.__dict__.update(digests=examples.digests, contents=examples.contents)
        return images

    @property
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w) of one image."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    @property
    def pixels_in_memory(self) -> Tensor:
        return self.pixels

    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        # Indexing with brackets would do the same in six times the time.
        return self.pixels.index_select(0, places.to(self.pixels.device)).to(device)

    def blocks(self) -> Iterator[Tensor]:
        yield from self.pixels.split(self._block)

    def to(self, device: torch.device) -> Self:
        """The same images, their pixels held on a device."""
        return self._with(pixels=self.pixels.to(device))

    def subset(self, indices: Sequence[int] | Tensor) -> Self:
        """The images at these places, in this order."""
        places = places_among(indices, len(self))
        return self._with(places, pixels=self.gather(places), labels=self.labels[places])

    def normalized_by(self, normalization: Normalization) -> Self:
        """The same images shown to a model in another way."""
        return self._with(normalization=normalization)

    def _with(self, places: Tensor | None = None, **changes: Any) -> Self:
        """These images changed; what each is, where that is known, need not be found out again."""
        changed = replace(self, **changes)
        for about in ("digests", "contents"):
            known = self.__dict__.get(about)
            if known is not None:
                changed.__dict__[about] = known if places is None else known[places.numpy()]
        return changed


def _tensor(values: object) -> Tensor:
    """What was given, or a copy of a NumPy array that may not be written to."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        # In the byte order of this machine.
        array = values.astype(values.dtype.newbyteorder("="), copy=not values.flags.writeable)
        return torch.from_numpy(array)
    if isinstance(values, np.ndarray):
        raise DataError("Pixels and labels are numbers, and this array is of {dtype}.", dtype=values.dtype)
    if isinstance(values, Tensor) and values.layout == torch.strided and not values.is_meta:
        return values
    raise DataError(
        "Pixels and labels are tensors or NumPy arrays; this is a {kind}: make one with torch.as_tensor or np.asarray.",
        kind=type(values).__name__,
    )
