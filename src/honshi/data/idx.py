"""IDX, the file format of MNIST and its relatives; with or without gzip.

A file is a magic number (two zero bytes, a type byte, the number of dimensions), each dimension as
a big-endian 32-bit integer, then the values. Source: the format note on the MNIST page of LeCun,
Cortes and Burges. Only unsigned bytes (type 0x08) occur in image data sets, so only they are read.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from honshi.data.images import Images
from honshi.errors import DataNotFoundError, IdxError
from honshi.files import is_folder
from honshi.messages import Message
from honshi.runtime import memory

UNSIGNED_BYTE = 0x08
# What is read at once: memory follows what the file holds, never what its header claims.
CHUNK = 1 << 24
# What gzip can make of a byte at most.
GZIP_AT_BEST = 1032


def read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The values of an IDX file, as an array with as many dimensions as asked for.

    Raises:
        IdxError: the content is not exactly what its header says, or not IDX at all.
        DataNotFoundError: there is no such file.
    """
    start = 4 + 4 * dimensions
    with _opened(path) as stream:
        shape = _shape(path, stream.read(start), dimensions)
        expected = math.prod(shape)
        _check_promise(path, start, shape)
        content = bytearray()
        try:
            # One byte more than expected, so that a longer file is noticed.
            while len(content) <= expected:
                chunk = stream.read(min(CHUNK, expected + 1 - len(content)))
                if not chunk:
                    break
                content += chunk
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _damaged(path, start + len(content), error) from error
    if len(content) < expected:
        raise IdxError(
            path,
            start + len(content),
            "the file ends here; its header promises {sizes} = {expected} values and only {found} are there. Fetch the "
            "file again.",
            sizes=" x ".join(map(str, shape)),
            expected=expected,
            found=len(content),
        )
    if len(content) > expected:
        raise IdxError(
            path,
            start + expected,
            "the file goes on after the {expected} values that its header promises.",
            expected=expected,
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def sizes(path: Path, dimensions: int) -> tuple[int, ...]:
    """The size of each dimension, from the header alone.

    Raises:
        IdxError, DataNotFoundError: as `read`.
    """
    with _opened(path) as stream:
        return _shape(path, stream.read(4 + 4 * dimensions), dimensions)


def pair_shape(images: Path, labels: Path) -> tuple[int, int, int]:
    """(1, h, w) of the images of one IDX file that has as many as another one has labels, from their headers alone.

    Raises:
        IdxError: a header is damaged, or the counts differ.
        DataNotFoundError: there is no such file.
    """
    (wanted,) = sizes(labels, dimensions=1)
    count, height, width = sizes(images, dimensions=3)
    if wanted != count:
        raise IdxError(
            labels,
            4,
            "{labels} labels, and {count} images in {name}: they do not belong together.",
            labels=wanted,
            count=count,
            name=images.name,
        )
    return 1, height, width


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file to be read, uncompressed."""
    try:
        if path.exists() and not path.is_file():
            # To open a pipe would wait for whoever writes into it.
            raise DataNotFoundError("{path}: this is not a file.", path=path)
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if compressed else path.open("rb") as stream:
            try:
                yield stream  # type: ignore[misc]  # a gzip file reads like any other
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise _damaged(path, 0, error) from error
    except FileNotFoundError:
        raise DataNotFoundError("{path}: there is no such file.", path=path) from None
    except OSError as error:
        raise DataNotFoundError(
            "{path}: the file cannot be read ({reason}).", path=path, reason=error.strerror
        ) from error


def _damaged(path: Path, offset: int, error: Exception) -> IdxError:
    return IdxError(
        path, offset, "the gzip stream is damaged or cut off ({reason}). Fetch the file again.", reason=str(error)
    )


def _check_promise(path: Path, start: int, shape: tuple[int, ...]) -> None:
    """Whether a file may hold what its header promises, before any of it is read."""
    expected, there = math.prod(shape), path.stat().st_size
    if expected > there * GZIP_AT_BEST:
        raise IdxError(
            path,
            start,
            "its header promises {sizes} = {expected} values, and a file of {there} bytes cannot hold them.",
            sizes=" x ".join(map(str, shape)),
            expected=expected,
            there=there,
        )
    room = memory()
    if room is not None and expected > room:
        raise IdxError(
            path,
            start,
            "its header promises {sizes} = {expected} values, and this machine has {room} bytes of memory.",
            sizes=" x ".join(map(str, shape)),
            expected=expected,
            room=room,
        )


def _shape(path: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    kind = {1: "labels", 3: "images"}.get(dimensions, "values")
    if len(header) < 4:
        raise IdxError(path, len(header), "the file ends before the 4 bytes of an IDX magic number.")
    if header[:2] != b"\0\0":
        raise IdxError(
            path,
            0,
            "an IDX file begins with two zero bytes, this one with {found!r}: it is something else.",
            found=header[:4],
        )
    if header[2] != UNSIGNED_BYTE:
        raise IdxError(
            path,
            2,
            "type byte 0x{found:02x}; only 0x08 (unsigned bytes) occurs in image data sets.",
            found=header[2],
        )
    if header[3] != dimensions:
        raise IdxError(
            path,
            3,
            "{found} dimensions where {kind} have {wanted}. Are images and labels exchanged?",
            found=header[3],
            kind=kind,
            wanted=dimensions,
        )
    if len(header) < 4 + 4 * dimensions:
        raise IdxError(
            path, len(header), "the file ends within the sizes of its {dimensions} dimensions.", dimensions=dimensions
        )
    shape = tuple(int.from_bytes(header[at : at + 4], "big") for at in range(4, len(header), 4))
    for place, size in enumerate(shape):
        if size == 0:
            raise IdxError(
                path,
                4 + 4 * place,
                "dimension {place} of {dimensions} has size 0.",
                place=place + 1,
                dimensions=dimensions,
            )
    return shape


def read_pair(
    images: Path,
    labels: Path,
    classes: tuple[str, ...] | None = None,
    numbers: tuple[int, ...] | None = None,
    *,
    gaps: bool = False,
) -> Images:
    """The images of one IDX file with the labels of another.

    Args:
        images: n x h x w.
        labels: n.
        classes: the names of the classes; where left out, the labels that there are.
        numbers: the label of each class; where left out, its place in the classes.
        gaps: make a class of each number below the largest label, also of one that no image has.

    Raises:
        IdxError: a file is damaged, the counts differ, or a label lies outside the classes.
    """
    pair_shape(images, labels)
    values = read(labels, dimensions=1)
    if classes is None:
        there = range(int(values.max()) + 1) if gaps else np.unique(values).tolist()
        classes = tuple(map(str, there))
        numbers = None if list(there) == list(range(len(there))) else tuple(there)
    known = np.full(256, -1, dtype=np.int64)
    known[list(numbers or range(len(classes)))] = np.arange(len(classes))
    outside = np.flatnonzero(known[values] < 0)
    if len(outside):
        place = int(outside[0])
        shown = Message("0 to {last}", last=len(classes) - 1) if numbers is None else ", ".join(map(str, numbers))
        raise IdxError(
            labels,
            8 + place,
            "label {label} of image {place}; the classes are {classes}.",
            label=int(values[place]),
            place=place,
            classes=shown,
        )
    return Images(
        pixels=torch.from_numpy(read(images, dimensions=3)).unsqueeze(1),
        labels=torch.from_numpy(known[values]),
        classes=classes,
        numbers=numbers,
    )


def looks_like_folder(folder: Path) -> bool:
    """Whether a folder has files that are called as those of IDX are."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".")]
    return all(any("idx" in name and kind in name for name in names) for kind in ("images", "labels"))


def find_files(folder: Path) -> dict[tuple[str, str], Path]:
    """The four files of an IDX folder, by ("train" or "test", "images" or "labels").

    The names that are in use differ (``t10k-images-idx3-ubyte.gz``, ``t10k-images.idx3-ubyte``,
    ``emnist-letters-test-images-idx3-ubyte``), so a file is known by the words in its name. Where a
    file is there both ways, the uncompressed one is taken.

    Raises:
        DataNotFoundError: no such folder, or one of the four is missing or there twice.
    """
    if not is_folder(folder):
        raise DataNotFoundError(
            "{folder}: there is no such folder. --data idx:FOLDER wants one with four IDX files.", folder=folder
        )
    found: dict[tuple[str, str], Path] = {}
    for part, words in (("train", ("train",)), ("test", ("t10k", "test"))):
        for kind in ("images", "labels"):
            names = sorted(
                path
                for path in folder.iterdir()
                # Hidden files are what systems leave beside others, as ._train-images-idx3-ubyte.
                if path.is_file()
                and not path.name.startswith(".")
                and kind in path.name
                and "idx" in path.name
                and any(w in path.name for w in words)
            )
            plain = [path for path in names if path.suffix != ".gz"]
            names = [path for path in names if path.suffix != ".gz" or path.with_suffix("") not in plain]
            if len(names) != 1:
                if names:
                    listed = ", ".join(path.name for path in names)
                    problem = Message(
                        "more than one file with the {part} {kind} ({listed})", part=part, kind=kind, listed=listed
                    )
                else:
                    problem = Message("no file with the {part} {kind}", part=part, kind=kind)
                raise DataNotFoundError(
                    "{folder}: {problem}; one named like {example} or {example}.gz is wanted.",
                    folder=folder,
                    problem=problem,
                    example=f"{words[0]}-{kind}-idx{3 if kind == 'images' else 1}-ubyte",
                )
            found[part, kind] = names[0]
    return found
