"""What is in a folder of shards.

train-000000.tar   images and labels: 000000017.png and 000000017.cls, the key being an image's place in its part
train.npz          of each image its label, its shard, where its PNG lies in there, and SHA-256 of its pixels
val-….tar, val.npz
shards.json        classes, shape, normalisation and the manifest of the division; written last
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from honshi.data.manifest import Manifest
from honshi.data.packed import DAMAGED
from honshi.data.sources.named import SHARDS_INDEX
from honshi.errors import DataError
from honshi.files import read_bounded
from honshi.pictures.contract import Normalization, Scale

FORMAT = "honshi shards 1"
PARTS = ("train", "val")
# Of an index: the manifest lists a digest of each validation image.
MOST_BYTES = 1 << 28


@dataclass(frozen=True, eq=False)
class Part:
    """Where the images of one part lie. n images.

    Attributes:
        files: names of its shards.
        labels: int32 (n,), in the order of their keys.
        shards: int32 (n,), each a place in the files.
        offsets, sizes: int64 (n,), of each PNG in its shard.
        digests: uint8 (n, 32), SHA-256 of the pixels.
        contents: uint8 (n, 32), SHA-256 of what each was before, where that was someone's own picture.
    """

    files: tuple[str, ...]
    labels: NDArray[np.int32]
    shards: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    digests: NDArray[np.uint8]
    contents: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Index:
    """What is known of shards without opening one.

    Attributes:
        title: of the data set.
        classes, shape, fit, scale, numbers: as of `honshi.data.Examples`.
        normalization: how they are shown to a model.
        manifest: of the division that was written.
        files: by part the names of its shards.
    """

    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    fit: Literal["pad", "crop", "stretch"]
    scale: Scale
    numbers: tuple[int, ...] | None
    normalization: Normalization
    manifest: Manifest
    files: dict[str, tuple[str, ...]]

    def to_json(self) -> str:
        content = {"format": FORMAT, **asdict(self), "manifest": self.manifest.to_dict()}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """
        Raises:
            DataError: it is damaged, or of another version.
        """
        path = folder / SHARDS_INDEX
        try:
            content: dict[str, Any] = json.loads(read_bounded(path, MOST_BYTES))
            if content.pop("format") != FORMAT:
                raise DataError("{path}: these shards were written by another version of honshi.", path=path)
            numbers = content["numbers"]
            return cls(
                title=str(content["title"]),
                classes=tuple(map(str, content["classes"])),
                shape=_shape(content["shape"]),
                fit=content["fit"],
                scale=Scale(**content["scale"]),
                numbers=None if numbers is None else tuple(map(int, numbers)),
                normalization=Normalization(**{name: tuple(of) for name, of in content["normalization"].items()}),
                manifest=Manifest.from_json(json.dumps(content["manifest"])),
                files={part: tuple(map(str, content["files"][part])) for part in PARTS},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError("{path}: this is not an index of shards: {problem}.", path=path, problem=error) from error

    def part(self, folder: Path, name: str) -> Part:
        """
        Raises:
            DataError: it is damaged, or does not go with the index.
        """
        path = folder / f"{name}.npz"
        try:
            with np.load(path, allow_pickle=False) as held:
                part = Part(
                    files=self.files[name],
                    labels=held["labels"],
                    shards=held["shards"],
                    offsets=held["offsets"],
                    sizes=held["sizes"],
                    digests=held["digests"],
                    contents=held["contents"] if "contents" in held.files else None,
                )
        except DAMAGED as error:
            raise DataError(
                "{path}: what belongs to the shards cannot be read: {problem}.", path=path, problem=error
            ) from error
        count = self.manifest.train_size if name == "train" else self.manifest.val_size
        columns = (part.labels, part.shards, part.offsets, part.sizes, part.digests)
        if any(len(column) != count for column in columns) or not (
            0 <= part.labels.min() <= part.labels.max() < len(self.classes)
            and 0 <= part.shards.min() <= part.shards.max() < len(part.files)
        ):
            raise DataError("{path}: it does not go with {index}.", path=path, index=SHARDS_INDEX)
        return part


def _shape(values: Any) -> tuple[int, int, int]:
    channels, height, width = map(int, values)
    if channels not in (1, 3) or not (0 < height <= 65536 and 0 < width <= 65536):
        raise ValueError(f"images of {channels} x {height} x {width}")
    return channels, height, width
