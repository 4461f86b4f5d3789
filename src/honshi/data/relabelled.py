"""The same pictures under the classes of a run, whatever classes their source has now; and pictures held in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from honshi.data.examples import PIXELS_DIGEST, Examples, Selected, labels_as_bytes, places_among
from honshi.data.images import Images
from honshi.pictures.contract import Normalization
from honshi.runtime import available_memory

# The share of the memory that is free which pictures may take to be held there.
COMFORTABLE = 1 / 8


class Relabelled(Selected):
    """Some of the images of a set with other labels and classes; each is known by what it is now called."""

    def __init__(
        self, whole: Examples, places: Tensor, normalization: Normalization, labels: Tensor, classes: tuple[str, ...]
    ) -> None:
        """
        Args:
            whole, places, normalization: as for `Selected`.
            labels: int64 (n,), of these.
            classes: that they are places in.
        """
        super().__init__(whole, places, normalization)
        self.labels = labels
        self.classes = classes
        self.numbers = None

    @classmethod
    def with_classes(cls, images: Examples, classes: tuple[str, ...]) -> Relabelled:
        """Those of a set whose class is among these."""
        table = torch.tensor([classes.index(name) if name in classes else -1 for name in images.classes])
        labels = table[images.labels]
        places = (labels >= 0).nonzero().flatten()
        return cls(images, places, images.normalization, labels[places], classes)

    @property
    def digests(self) -> NDArray[np.uint8]:
        pixels = self.whole.digests[self.places.numpy(), :PIXELS_DIGEST]
        return np.hstack([pixels, labels_as_bytes(self.labels)])

    def to(self, device: torch.device) -> Relabelled:
        return Relabelled(self.whole.to(device), self.places, self.normalization, self.labels, self.classes)

    def subset(self, indices: Sequence[int] | Tensor) -> Relabelled:
        chosen = places_among(indices, len(self))
        return Relabelled(self.whole, self.places[chosen], self.normalization, self.labels[chosen], self.classes)

    def normalized_by(self, normalization: Normalization) -> Relabelled:
        return Relabelled(self.whole, self.places, normalization, self.labels, self.classes)


def held(images: Examples, places: NDArray[np.int64], normalization: Normalization) -> Examples:
    """Some of the images: in memory where they take little of what is free there, for which there are quicker loops."""
    part = images.subset(torch.from_numpy(places)).normalized_by(normalization)
    free = available_memory()
    if free is None or len(part) * int(np.prod(part.shape)) > free * COMFORTABLE:
        return part
    return Images.of(part)
