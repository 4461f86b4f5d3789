"""IDX, the file format of MNIST and its relatives; with or without gzip.

A file is a magic number (two zero bytes, a type byte, the number of dimensions), each dimension as
a big-endian 32-bit integer, then the values. Source: the format note on the MNIST page of LeCun,
Cortes and Burges. Only unsigned bytes (type 0x08) occur in image data sets, so only they are read.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from honshi.data.images import Images
from honshi.errors import DataNotFoundError, IdxError

UNSIGNED_BYTE = 0x08
# What is read at once: memory follows what the file holds, never what its header claims.
CHUNK = 1 << 24


def read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The values of an IDX file, as an array with as many dimensions as asked for.

    Raises:
        IdxError: the content is not exactly what its header says, or not IDX at all.
        DataNotFoundError: there is no such file.
    """
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if compressed else path.open("rb") as stream:
            content = bytearray()
            try:
                header = stream.read(4 + 4 * dimensions)
                shape = _shape(path, header, dimensions)
                expected = math.prod(shape)
                # One byte more than expected, so that a longer file is noticed.
                while len(content) <= expected:
                    chunk = stream.read(min(CHUNK, expected + 1 - len(content)))
                    if not chunk:
                        break
                    content += chunk
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                reached = 4 + 4 * dimensions + len(content) if content else 0
                raise IdxError(
                    path, reached, f"the gzip stream is damaged or cut off ({error}). Fetch the file again."
                ) from error
    except FileNotFoundError:
        raise DataNotFoundError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise DataNotFoundError(f"{path}: the file cannot be read ({error.strerror}).") from error

    start = 4 + 4 * dimensions
    if len(content) < expected:
        raise IdxError(
            path,
            start + len(content),
            f"the file ends here; its header promises {' x '.join(map(str, shape))} = {expected} values "
            f"and only {len(content)} are there. Fetch the file again.",
        )
    if len(content) > expected:
        raise IdxError(
            path,
            start + expected,
            f"the file goes on after the {expected} values that its header promises.",
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _shape(path: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    kind = {1: "labels", 3: "images"}.get(dimensions, "values")
    if len(header) < 4:
        raise IdxError(path, len(header), "the file ends before the 4 bytes of an IDX magic number.")
    if header[:2] != b"\0\0":
        raise IdxError(
            path,
            0,
            f"an IDX file begins with two zero bytes, this one with {header[:4]!r}: it is something else.",
        )
    if header[2] != UNSIGNED_BYTE:
        raise IdxError(path, 2, f"type byte 0x{header[2]:02x}; only 0x08 (unsigned bytes) occurs in image data sets.")
    if header[3] != dimensions:
        raise IdxError(
            path,
            3,
            f"{header[3]} dimensions where {kind} have {dimensions}. Are images and labels exchanged?",
        )
    if len(header) < 4 + 4 * dimensions:
        raise IdxError(path, len(header), f"the file ends within the sizes of its {dimensions} dimensions.")
    shape = tuple(int.from_bytes(header[at : at + 4], "big") for at in range(4, len(header), 4))
    for place, size in enumerate(shape):
        if size == 0:
            raise IdxError(path, 4 + 4 * place, f"dimension {place + 1} of {dimensions} has size 0.")
    return shape


def read_pair(images: Path, labels: Path, classes: tuple[str, ...] | None = None) -> Images:
    """The images of one IDX file with the labels of another.

    Args:
        images: n x h x w.
        labels: n.
        classes: the names of the classes; where left out, the digits from 0 to the largest label.

    Raises:
        IdxError: a file is damaged, the counts differ, or a label lies outside the classes.
    """
    values = read(labels, dimensions=1)
    pixels = read(images, dimensions=3)
    if len(values) != len(pixels):
        raise IdxError(
            labels, 4, f"{len(values)} labels, and {len(pixels)} images in {images.name}: they do not belong together."
        )
    if classes is None:
        classes = tuple(str(label) for label in range(int(values.max()) + 1))
    outside = np.flatnonzero(values >= len(classes))
    if len(outside):
        place = int(outside[0])
        raise IdxError(
            labels, 8 + place, f"label {values[place]} of image {place}; the classes are 0 to {len(classes) - 1}."
        )
    return Images(
        pixels=torch.from_numpy(pixels).unsqueeze(1),
        labels=torch.from_numpy(values.astype(np.int64)),
        classes=classes,
    )


def find_files(folder: Path) -> dict[tuple[str, str], Path]:
    """The four files of an IDX folder, by ("train" or "test", "images" or "labels").

    The names that are in use differ (``t10k-images-idx3-ubyte.gz``, ``t10k-images.idx3-ubyte``,
    ``emnist-letters-test-images-idx3-ubyte``), so a file is known by the words in its name. Where a
    file is there both ways, the uncompressed one is taken.

    Raises:
        DataNotFoundError: no such folder, or one of the four is missing or there twice.
    """
    if not folder.is_dir():
        raise DataNotFoundError(f"{folder}: there is no such folder. --data idx:FOLDER wants one with four IDX files.")
    found: dict[tuple[str, str], Path] = {}
    for part, words in (("train", ("train",)), ("test", ("t10k", "test"))):
        for kind in ("images", "labels"):
            names = sorted(
                path
                for path in folder.iterdir()
                if path.is_file() and kind in path.name and "idx" in path.name and any(w in path.name for w in words)
            )
            plain = [path for path in names if path.suffix != ".gz"]
            names = [path for path in names if path.suffix != ".gz" or path.with_suffix("") not in plain]
            if len(names) != 1:
                problem = "more than one file" if names else "no file"
                example = f"{words[0]}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"
                listed = f" ({', '.join(path.name for path in names)})" if names else ""
                raise DataNotFoundError(
                    f"{folder}: {problem} with the {part} {kind}{listed}; "
                    f"one named like {example} or {example}.gz is wanted."
                )
            found[part, kind] = names[0]
    return found
