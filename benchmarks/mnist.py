"""MNIST as numpy arrays, from the files in the package.

The peers read it here and not through honshi.data, which would load torch into the processes of those
that compute without it.

Shapes: n images (60,000 to train, 10,000 to test) of 28 x 28.
"""

from __future__ import annotations

import gzip
from importlib import resources

import numpy as np
from numpy.typing import NDArray

FILES = resources.files("honshi") / "data" / "mnist_files"


def training_set() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels (n, 28, 28) and labels (n,)."""
    return _read("train")


def test_set() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels (n, 28, 28) and labels (n,)."""
    return _read("t10k")


def normalized(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flat images (n, 784) from -1, black, to 1, white: the lecture's Normalize((0.5,), (0.5,))."""
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    flat /= 255
    flat -= 0.5
    flat /= 0.5
    return flat


def _read(part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images = gzip.decompress((FILES / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((FILES / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    # The headers: magic number, count, and for images also height and width, 4 bytes each.
    pixels = np.frombuffer(images, dtype=np.uint8, offset=16).reshape(-1, 28, 28)
    return pixels, np.frombuffer(labels, dtype=np.uint8, offset=8).astype(np.int64)
