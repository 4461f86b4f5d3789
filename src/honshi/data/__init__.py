"""Part 1 of the lecture: what the model sees.

A source gives labelled uint8 images (`sources`), a split divides its training set into training
and validation and leaves its test set sealed (`split`, `sealed`), and `batches` turns images into
shuffled mini-batches, changed at random by `augment` where that is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from honshi.lazy import lazily

if TYPE_CHECKING:
    from honshi.data.augment import Augmentation
    from honshi.data.examples import Examples
    from honshi.data.images import Images
    from honshi.data.sealed import Sealed
    from honshi.data.split import Splits, load
    from honshi.pictures.contract import Normalization

__all__ = ["Augmentation", "Examples", "Images", "Normalization", "Sealed", "Splits", "load"]

__getattr__ = lazily(
    __name__,
    {
        "Augmentation": "honshi.data.augment",
        "Examples": "honshi.data.examples",
        "Images": "honshi.data.images",
        "Normalization": "honshi.pictures.contract",
        "Sealed": "honshi.data.splits",
        "Splits": "honshi.data.split",
        "load": "honshi.data.split",
    },
)
