"""Images in shards: one by one from where they lie, or as an epoch needs them, read through the library webdataset.

Shapes: n images, (c, h, w) each.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from honshi.data.examples import Examples, Gather, labels_as_bytes
from honshi.data.packed import DAMAGED
from honshi.data.shards.layout import Index, Part
from honshi.errors import DataError


class Sharded(Examples):
    """The images of one part of a folder of shards.

    Attributes:
        folder: where they lie.
        homes: int64 (n,), the shard of each image.
    """

    def __init__(self, folder: Path, index: Index, part: Part) -> None:
        """
        Raises:
            DataError: the library webdataset is not installed.
        """
        if find_spec("webdataset") is None:
            raise DataError(
                "{folder}: shards are read by the library webdataset: pip install 'honshi[shards]'.", folder=folder
            )
        self.folder = folder
        self._index, self._part = index, part
        self.labels = torch.from_numpy(part.labels.astype(np.int64))
        self.homes: Tensor = torch.from_numpy(part.shards.astype(np.int64))
        self.classes, self.numbers = index.classes, index.numbers
        self.normalization = index.normalization
        self.fit, self.scale, self.contents = index.fit, index.scale, part.contents

    @property
    def shape(self) -> tuple[int, int, int]:
        return self._index.shape

    @property
    def digests(self) -> NDArray[np.uint8]:
        return np.hstack([self._part.digests, labels_as_bytes(self._numbers_of_labels)])

    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        """Each from its place in its shard: for looking at some. An epoch is read by `reading`."""
        found = torch.empty(len(places), *self.shape, dtype=torch.uint8)
        wanted = places.tolist()
        by_shard: dict[int, list[int]] = {}
        for row, place in enumerate(wanted):
            by_shard.setdefault(int(self._part.shards[place]), []).append(row)
        for shard, rows in by_shard.items():
            path = self.folder / self._part.files[shard]
            try:
                with path.open("rb") as file:
                    for row in rows:
                        file.seek(int(self._part.offsets[wanted[row]]))
                        found[row] = self._decoded(file.read(int(self._part.sizes[wanted[row]])), path, wanted[row])
            except OSError as error:
                raise DataError("{path}: this cannot be read ({reason}).", path=path, reason=error.strerror) from error
        return found.to(device)

    @contextmanager
    def reading(self, order: Tensor) -> Iterator[Gather]:
        """What gathers images in the order of an epoch: each shard is read from its beginning, and what is not asked
        for yet is held until it is."""
        stream = _Stream(self, order.cpu())
        try:
            yield stream.gather
        finally:
            stream.close()

    def _decoded(self, content: bytes, path: Path, place: int) -> Tensor:
        channels, height, width = self.shape
        try:
            with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
                if picture.size != (width, height) or picture.mode != ("L" if channels == 1 else "RGB"):
                    raise ValueError(f"{picture.mode} of {picture.size}")
                pixels = np.array(picture)
        except (OSError, ValueError, SyntaxError) as error:
            raise DataError(
                "{path}: the image {place:09}.png cannot be read: {problem}.", path=path, place=place, problem=error
            ) from error
        return torch.from_numpy(pixels.reshape(height, width, channels)).permute(2, 0, 1)


class _Stream:
    """Images of shards that are read one after the other, in the order in which they are first needed."""

    def __init__(self, images: Sharded, order: Tensor) -> None:
        from webdataset.tariterators import group_by_keys, tar_file_expander

        self.images = images
        self.wanted = np.zeros(len(images), dtype=bool)
        self.wanted[order.numpy()] = True
        homes = images.homes[order].numpy()
        shards, first = np.unique(homes, return_index=True)
        files = [images._part.files[shard] for shard in shards[np.argsort(first)]]
        self.held: dict[int, Tensor] = {}
        # Which process reads which shard is decided by the order, and not by the library.
        self.files = _opened(images.folder, files)
        self.samples: Iterator[Any] = group_by_keys(tar_file_expander(self.files))

    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        """As `Examples.gather`; each place is asked for once, about in the order that was given.

        Raises:
            DataError: a shard is damaged, or lacks an image.
        """
        wanted = places.tolist()
        for place in wanted:
            while place not in self.held:
                self._read_on(place)
        return torch.stack([self.held.pop(place) for place in wanted]).to(device)

    def _read_on(self, place: int) -> None:
        images = self.images
        path = images.folder / images._part.files[int(images._part.shards[place])]
        try:
            sample = next(self.samples, None)
        except DAMAGED as error:
            raise DataError("{path}: the shard cannot be read: {problem}.", path=path, problem=error) from error
        if sample is None:
            raise DataError("{path}: the image {place:09}.png is missing.", path=path, place=place)
        key, content = str(sample["__key__"]), sample.get("png")
        if not key.isdigit() or int(key) >= len(self.wanted) or content is None:
            raise DataError("{path}: {key} is none of its images.", path=path, key=key)
        if self.wanted[int(key)]:
            if str(int(images.labels[int(key)])).encode() != sample.get("cls"):
                raise DataError("{path}: the label of {key} is not that of the index.", path=path, key=key)
            self.held[int(key)] = images._decoded(content, path, int(key))

    def close(self) -> None:
        self.files.close()
        self.held.clear()


def _opened(folder: Path, files: Sequence[str]) -> Generator[dict[str, Any], None, None]:
    """Shards as the library takes them, each closed before the next one is opened."""
    for name in files:
        with (folder / name).open("rb") as stream:
            yield {"url": name, "stream": stream}
