"""A division of a data set as WebDataset shards."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from honshi.data.examples import PIXELS_DIGEST, Examples
from honshi.data.shards.layout import PARTS, Index
from honshi.data.sources.named import SHARDS_INDEX
from honshi.data.splits import Splits
from honshi.errors import RequestError
from honshi.files import is_new_or_empty, make_folder, write_whole, writing
from honshi.messages import Message
from honshi.pictures.encode import as_png

# Of one shard: so many images, or about so many bytes.
MOST_IMAGES, MOST_BYTES = 4096, 64 << 20
BLOCK = 256


@dataclass(frozen=True)
class Written:
    """A folder of shards.

    Attributes:
        folder: where they are.
        images, files: by part how many there are.
        bytes: of all files.
    """

    folder: Path
    images: dict[str, int]
    files: dict[str, int]
    bytes: int

    @property
    def sentences(self) -> list[Message]:
        return [
            Message(
                "{folder}: {train:,} images for training in {files:,} shards, {val:,} for validation in {others:,}, "
                "{size:,.1f} MB",
                folder=self.folder,
                train=self.images["train"],
                files=self.files["train"],
                val=self.images["val"],
                others=self.files["val"],
                size=self.bytes / 1e6,
            ),
            Message("The pictures for the exam are not among them: they stay sealed where they are."),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "images": self.images, "shards": self.files, "bytes": self.bytes}


def write_shards(
    splits: Splits[Examples], folder: Path, seed: int = 0, tell: Callable[[int, int], None] | None = None
) -> Written:
    """Write training and validation part as shards, all or nothing; the exam's pictures stay where they are.

    Training images are written in a random order, so that each shard holds some of every class.

    Args:
        splits: what to write.
        folder: a new one, or an empty one.
        seed: of the order.
        tell: told how many images of all are written.

    Raises:
        RequestError: the folder is there and not empty; or the mock exam is held by folds, for which there are no
            parts.
        WriteError: it cannot be written.
    """
    if not is_new_or_empty(folder):
        raise RequestError("{path}: shards are written into a new folder, or an empty one.", path=folder)
    if splits.manifest.by_folds:
        raise RequestError("There are so few images that they are scored by folds; shards are for more than fit here.")
    unfinished = folder.with_name(f".{folder.name}.part")
    with writing(unfinished):
        shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed as it wrote
    make_folder(unfinished)
    try:
        train = splits.train.subset(torch.randperm(len(splits.train), generator=torch.Generator().manual_seed(seed)))
        parts = dict(zip(PARTS, (train, splits.val), strict=True))
        total, done, files = len(train) + len(splits.val), 0, {}

        def count(images: int) -> None:
            nonlocal done
            done += images
            if tell is not None:
                tell(done, total)

        for name, images in parts.items():
            files[name] = _write_part(images, name, unfinished, count)
        index = Index(
            title=splits.manifest.source,
            classes=tuple(train.classes),
            shape=train.shape,
            fit=train.fit,
            scale=train.scale,
            numbers=train.numbers,
            normalization=train.normalization,
            manifest=splits.manifest,
            files=files,
        )
        write_whole(unfinished / SHARDS_INDEX, index.to_json().encode())
        with writing(folder):
            if folder.exists():
                folder.rmdir()
            unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return Written(
        folder,
        {name: len(images) for name, images in parts.items()},
        {name: len(names) for name, names in files.items()},
        sum(path.stat().st_size for path in folder.iterdir()),
    )


def _write_part(images: Examples, part: str, folder: Path, count: Callable[[int], None]) -> tuple[str, ...]:
    """The shards of one part, and beside them what is known of each image; the names of the shards."""
    files: list[str] = []
    shards, offsets, sizes = (np.zeros(len(images), np.int64) for _ in range(3))
    labels = images.labels.tolist()
    tar: tarfile.TarFile | None = None
    first = 0
    try:
        for places in torch.arange(len(images)).split(BLOCK):
            for place, pixels in zip(places.tolist(), images.gather(places, torch.device("cpu")), strict=True):
                if tar is None or place - first >= MOST_IMAGES or tar.offset >= MOST_BYTES:
                    if tar is not None:
                        _close(tar)
                    first = place
                    files.append(f"{part}-{len(files):06}.tar")
                    with writing(folder / files[-1]):
                        tar = tarfile.open(folder / files[-1], "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
                content = as_png(pixels.permute(1, 2, 0).numpy(), level=1)
                shards[place], sizes[place] = len(files) - 1, len(content)
                with writing(folder / files[-1]):
                    offsets[place] = _add(tar, f"{place:09}.png", content)
                    _add(tar, f"{place:09}.cls", str(labels[place]).encode())
            count(len(places))
    finally:
        if tar is not None:
            _close(tar)
    known: dict[str, Any] = {
        "labels": images.labels.numpy().astype(np.int32),
        "shards": shards.astype(np.int32),
        "offsets": offsets,
        "sizes": sizes,
        "digests": np.ascontiguousarray(images.digests[:, :PIXELS_DIGEST]),
    }
    if images.contents is not None:
        known["contents"] = images.contents
    stream = io.BytesIO()
    np.savez_compressed(stream, **known)
    write_whole(folder / f"{part}.npz", stream.getvalue())
    return tuple(files)


def _close(tar: tarfile.TarFile) -> None:
    with writing(Path(str(tar.name))):
        tar.close()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Add a file; where its content begins."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    begins = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(info, io.BytesIO(content))
    return begins
