"""Features of examples, which are examples too: whatever trains or scores a model takes them as it takes images.

Shapes: n images, d features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from honshi.data.examples import Examples, places_among
from honshi.pictures.contract import InputContract, Normalization

# Features are what a head wants them to be already; in units of [0, 255], as pixels are counted.
AS_THEY_ARE = Normalization(mean=(0.0,), std=(1 / 255,))


class Features(Examples):
    """What a backbone sees in each of some examples.

    Attributes:
        values: float32 (n, d).
        images: of which they are, by which each is known.
    """

    def __init__(self, values: Tensor, images: Examples, places: Tensor | None = None) -> None:
        """
        Args:
            values: float32 (n, d).
            images: the examples that were looked at.
            places: int64 (n,), which of them each row is of; all in their order where left out.
        """
        self.values = values
        self.images = images
        self.places = torch.arange(len(images)) if places is None else places
        self.labels = images.labels[self.places]
        self.classes = images.classes
        self.numbers = images.numbers
        self.normalization = AS_THEY_ARE

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.values.shape[1], 1, 1

    @property
    def digests(self) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self.images.digests[self.places.numpy()]
        return found

    @property
    def contract(self) -> InputContract:
        """What a picture must become: the backbone is part of the model."""
        return self.images.contract

    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        """float32 (b, d, 1, 1), the caller's own."""
        rows = self.values.index_select(0, places.to(self.values.device)).to(device)
        return rows.view(len(rows), *self.shape)

    def to(self, device: torch.device) -> Features:
        return Features(self.values.to(device), self.images, self.places)

    def subset(self, indices: Sequence[int] | Tensor) -> Features:
        places = places_among(indices, len(self))
        return Features(self.values[places.to(self.values.device)], self.images, self.places[places])

    def normalized_by(self, normalization: Normalization) -> Features:
        """The same: how images are normalised was seen to before the backbone."""
        return self
