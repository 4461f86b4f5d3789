"""Features on the disk, by what they are of: an image's content, and all that makes its features what they are.

Below ``HONSHI_HOME/features`` each backbone with its contract and view has a folder, and in it a file for each batch of
images that was computed at one time: the digests of their pixels beside their features. A file is written whole and
never changed, so several processes may add to a folder at once, and what was interrupted goes on behind its last file.

Shapes: n images, d features.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from honshi.data.examples import PIXELS_DIGEST
from honshi.files import home, not_written, write_whole

FOLDER = "features"


class Kept:
    """The features that were computed with one backbone, contract and view."""

    def __init__(self, key: str) -> None:
        """
        Args:
            key: a hash of all that makes features what they are.
        """
        self.folder = home() / FOLDER / key

    def find(self, digests: NDArray[np.uint8]) -> tuple[Tensor | None, Tensor]:
        """The features of images, as far as there are some.

        Args:
            digests: of their pixels, uint8 (n, 32).

        Returns:
            float32 (n, d), rows that are not there being anything, or None where there is none at all; and which rows
            are there, bool (n,).
        """
        wanted = _keys(digests)
        there = torch.zeros(len(wanted), dtype=torch.bool)
        values: Tensor | None = None
        with suppress(OSError):
            for path in sorted(self.folder.glob("*.safetensors")):
                rows, found = _in_file(path, wanted, there.numpy())
                if found is None:
                    continue
                if values is None:
                    values = torch.empty(len(wanted), found.shape[1])
                if found.shape[1] != values.shape[1]:
                    continue
                values[rows] = found
                there[rows] = True
        return values, there

    def add(self, digests: NDArray[np.uint8], values: Tensor) -> None:
        """Keep features; a home that cannot be written to makes the next start slower, and nothing else.

        Args:
            digests: of the images' pixels, uint8 (n, 32).
            values: float32 (n, d).
        """
        name = hashlib.sha256(np.ascontiguousarray(digests).tobytes()).hexdigest()[:32]
        content = save({"digests": torch.from_numpy(digests.copy()), "features": values.cpu().contiguous()})
        not_written(lambda: write_whole(self.folder / f"{name}.safetensors", content))


def _keys(digests: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    return np.ascontiguousarray(digests).view(f"S{PIXELS_DIGEST}").reshape(-1)


def _in_file(path: Path, wanted: NDArray[np.bytes_], there: NDArray[np.bool_]) -> tuple[Tensor, Tensor | None]:
    """Which of the images that are not there yet a file has, int64 (m,), and their features (m, d)."""
    nothing = torch.empty(0, dtype=torch.int64), None
    try:
        with safe_open(path, "pt") as file:
            keys = _keys(file.get_tensor("digests").numpy())
            order = np.argsort(keys)
            at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
            rows = np.flatnonzero((keys[order[at]] == wanted) & ~there)
            if not len(rows):
                return nothing
            features: Tensor = file.get_tensor("features")
            if features.dim() != 2 or len(features) != len(keys) or features.dtype != torch.float32:
                return nothing
            return torch.from_numpy(rows), features[torch.from_numpy(order[at[rows]])]
    except (OSError, SafetensorError, ValueError, IndexError, TypeError):
        return nothing  # damaged, or written by another version: it is computed again
