"""MNIST and Fashion-MNIST as the lecture's `datasets` give them: a picture and its class, one after the other.

``train=False`` is the mock exam, a tenth of the published training images: the lecture scores it after each epoch, and
the published test images are for the end (`honshi.test`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from os import PathLike
from typing import Any

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from honshi.data import load
from honshi.errors import HonshiWarning
from honshi.messages import Message


class MNIST(Dataset[tuple[Any, Any]]):
    """60,000 handwritten digits, of which 6,000 are the mock exam.

    Attributes:
        data: uint8 (n, 28, 28).
        targets: int64 (n,).
        classes: the name of each class.
    """

    source = "mnist"

    def __init__(
        self,
        root: str | PathLike[str] | None = None,
        train: bool = True,
        transform: Callable[[Image.Image], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        download: bool = False,
    ) -> None:
        """
        Args:
            root, download: not needed; the pictures are where honshi has them, and nothing is written to ``root``.
            train: the 54,000 to learn from, or else the mock exam.
            transform: what is made of each picture, which is 28 x 28 and grey.
            target_transform: what is made of each class number.

        Raises:
            DownloadError: Fashion-MNIST is not on this machine and cannot be fetched.
        """
        splits = load(self.source)
        if not train:
            warnings.warn(
                HonshiWarning(
                    Message(
                        "train=False is the mock exam here, images that were set aside from training. The test set is "
                        "sealed until the end: honshi.test(model, honshi.load(...).test)."
                    )
                ),
                stacklevel=2,
            )
        part = splits.train if train else splits.val
        self.train, self.transform, self.target_transform = train, transform, target_transform
        self.data: Tensor = part.pixels[:, 0]
        self.targets: Tensor = part.labels
        self.classes = list(part.classes)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The picture and its class, each as its transform gives it."""
        picture: Any = Image.fromarray(self.data[index].numpy())
        target: Any = int(self.targets[index])
        return (
            picture if self.transform is None else self.transform(picture),
            target if self.target_transform is None else self.target_transform(target),
        )

    def __repr__(self) -> str:
        part = "training" if self.train else "mock exam"
        return f"{type(self).__name__}({len(self):,} images, {part}, transform={self.transform})"


class FashionMNIST(MNIST):
    """60,000 pictures of clothes, of which 6,000 are the mock exam."""

    source = "fashion-mnist"
