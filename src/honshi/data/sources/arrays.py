"""Pictures in arrays: an .npz, or .npy files beside each other, with pixels and labels by the names that are usual.

The pixels of a .npy are read from its file as they are asked for. Those of an .npz are held in memory, where they are
not more than there is room for; nothing is taken out of an array before its header has said what it is.

Shapes: (n, h, w), (n, h, w, c) or (n, c, h, w), c being 1, 3 or 4; (n, d) where d is a square, row by row.
"""

from __future__ import annotations

import math
import re
import tokenize
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from honshi.data.listing import TEST, TRAIN, UNDIVIDED, VAL, Listing
from honshi.data.packed import DAMAGED
from honshi.data.sources.build import Columns, listed
from honshi.data.sources.part_names import part_of
from honshi.errors import DataNotFoundError, DataRefusedError
from honshi.messages import Message
from honshi.runtime import available_memory

SUFFIXES = (".npz", ".npy")
NPY = b"\x93NUMPY"
# What pixels and labels are called, as a name or as a part of one beside that of a part of the data.
PIXELS = ("x", "images", "image", "pixels", "data", "features", "imgs", "arr_0")
LABELS = ("y", "labels", "label", "targets", "target", "classes", "arr_1")
NAMES_SHOWN = 8
# What an .npz may take of the memory that is free.
SHARE = 0.5
LARGEST_HEADER = 1 << 16
CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Array:
    """An array by its header.

    Attributes:
        name: by which it is asked for: the key of an .npz, or the name of a .npy without its ending.
        shape, dtype: as the header says.
        path: of the file that holds it.
        offset: where its numbers begin in a .npy; None in an .npz.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    path: Path
    offset: int | None
    fortran: bool = False

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self) -> NDArray[Any]:
        """Its numbers: a map of a .npy's file, those of an .npz in memory.

        Raises:
            DataRefusedError: it is damaged.
        """
        try:
            if self.offset is not None:
                mapped: NDArray[Any] = np.memmap(
                    self.path, self.dtype, "r", self.offset, self.shape, "F" if self.fortran else "C"
                )
                return mapped
            with np.load(self.path, allow_pickle=False) as file:
                return np.asarray(file[self.name])
        except (*DAMAGED, MemoryError) as error:
            raise _damaged(self.path, self.name, error) from error


def is_array_file(head: bytes, name: str) -> bool:
    """Whether a file holds arrays, by its first bytes and, since an .npz is a zip, by its name."""
    return head.startswith(NPY) or (head.startswith(b"PK") and name.lower().endswith(".npz"))


def open_arrays(path: Path) -> Listing:
    """The pictures of an .npz, or of a .npy and the one with its labels beside it.

    Raises:
        DataNotFoundError: no pixels with labels are among the arrays.
        DataRefusedError: they are damaged, or do not fit each other.
    """
    if path.suffix.lower() == ".npz":
        arrays = _in_npz(path)
        kind = Message("arrays in an .npz file")
    else:
        arrays = _in_folder(path.parent)
        kind = Message(".npy files")
    found = _pairs(arrays)
    if path.suffix.lower() == ".npy":
        found = {part: pair for part, pair in found.items() if path.stem in (pair[0].name, pair[1].name)} or found
    if not found:
        raise _nothing(path, arrays)
    return _listing(path, kind, found)


def open_array_folder(folder: Path) -> Listing | None:
    """The pictures of the .npy files of a folder, or of its only .npz; None where there are none with labels."""
    packed = [path for path in folder.iterdir() if path.suffix.lower() == ".npz"]
    if len(packed) == 1:
        return open_arrays(packed[0])
    found = _pairs(_in_folder(folder))
    return _listing(folder, Message("a folder of .npy files"), found) if found else None


def _listing(path: Path, kind: Message, found: Mapping[int, tuple[Array, Array]]) -> Listing:
    columns = Columns()
    parts: list[Part] = []
    needed = sum(pixels.bytes for pixels, _ in found.values() if pixels.offset is None)
    free = available_memory()
    if free is not None and needed > SHARE * free:
        raise DataRefusedError(
            "{path}: its arrays take {needed:.1f} GB of memory, and {free:.1f} GB are free. Save pixels and labels as "
            ".npy files (numpy.save): their pixels are read as they are asked for.",
            path=path,
            needed=needed / 1e9,
            free=free / 1e9,
        )
    for part, (pixels, labels) in sorted(found.items()):
        _check_shape(pixels)
        texts = _labels(labels, pixels)
        parts.append(Part(len(columns.names), pixels))
        state = pixels.path.stat()
        for place, text in enumerate(texts):
            columns.names.append(
                f"{pixels.path.name}:{pixels.name}[{place}]"
                if pixels.offset is None
                else f"{pixels.path.name}[{place}]"
            )
            columns.labels.append(columns.code(text))
            columns.parts.append(part)
            columns.stamps.extend((state.st_size, state.st_mtime_ns))
    if UNDIVIDED in found and len(found) > 1:
        for place, part in enumerate(columns.parts):
            if part == UNDIVIDED:
                columns.parts[place] = TRAIN
    return listed(columns, name=str(path), title=path.name, kind=kind, opener=Pixels(tuple(parts)))


@dataclass(frozen=True, eq=False)
class Part:
    """Pictures that lie in one array, which is read when the first of them is asked for.

    Attributes:
        first: the place of its first picture.
        source: the array.
    """

    first: int
    source: Array

    @cached_property
    def pixels(self) -> NDArray[Any]:
        """(n, h, w) or (n, h, w, c)."""
        return _pixels(self.source)

    def __reduce__(self) -> tuple[Any, ...]:
        return Part, (self.first, self.source)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Opens pictures that lie in arrays."""

    parts: tuple[Part, ...]

    def __call__(self, place: int) -> NDArray[Any]:
        part = next(part for part in reversed(self.parts) if part.first <= place)
        return np.asarray(part.pixels[place - part.first])


def _in_npz(path: Path) -> list[Array]:
    """
    Raises:
        DataRefusedError: it is damaged.
    """
    found = []
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.filename.endswith(".npy"):
                    continue
                with archive.open(info) as file:
                    header = _header(file, info.filename.removesuffix(".npy"), path, offset=None)
                    begins = file.tell()
                if header.bytes > info.file_size - begins:
                    raise _short(path, header, info.file_size - begins)
                found.append(header)
    except DAMAGED as error:
        raise _damaged(path, path.name, error) from error
    return found


def _in_folder(folder: Path) -> list[Array]:
    """
    Raises:
        DataRefusedError: one of them is damaged.
    """
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != ".npy" or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                header = _header(file, path.stem, path, offset=0)
                begins = file.tell()
        except DAMAGED as error:
            raise _damaged(path, path.name, error) from error
        held = path.stat().st_size - begins
        if header.bytes > held:
            raise _short(path, header, held)
        found.append(Array(header.name, header.shape, header.dtype, path, begins, header.fortran))
    return found


def _header(file: IO[bytes], name: str, path: Path, offset: int | None) -> Array:
    """
    Raises:
        ValueError: it is none.
        DataRefusedError: it is one of Python's objects.
    """
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy says that it looks again at a header of Python 2
            shape, fortran, dtype = read(file, max_header_size=LARGEST_HEADER)
    except (SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise ValueError("its header is damaged") from error
    if dtype.hasobject:
        raise DataRefusedError(
            "{path}: the array {name!r} holds Python objects, which can run any program when they are read. Save it as "
            "numbers: numpy.stack(list(array)).astype('uint8') for pixels, array.astype(str) for labels.",
            path=path,
            name=name,
        )
    return Array(name, tuple(shape), dtype, path, offset, fortran)


def _pairs(arrays: list[Array]) -> dict[int, tuple[Array, Array]]:
    """Pixels and labels of each part, by their names."""
    pixels: dict[int, Array] = {}
    labels: dict[int, Array] = {}
    for array in arrays:
        words = [word for word in re.split(r"[^a-z0-9]+", array.name.lower()) if word]
        part = next((known for word in words if (known := part_of(word)) is not None), UNDIVIDED)
        rest = [word for word in words if part_of(word) is None]
        name = "_".join(rest)
        kept = pixels if name in PIXELS else labels if name in LABELS else None
        if kept is None and len(rest) == 1 and array.dtype.kind in "biuf":
            kept = pixels if len(array.shape) > 2 else None
        if kept is not None:
            kept.setdefault(part, array)
    return {
        part: (pixels[part], labels[part])
        for part in (UNDIVIDED, TRAIN, VAL, TEST)
        if part in pixels and part in labels
    }


def _check_shape(array: Array) -> None:
    """
    Raises:
        DataRefusedError: it does not hold pictures.
    """
    if array.dtype.kind not in "biuf":
        raise DataRefusedError(
            "{path}: the array {name!r} is of {dtype}, and pixels are numbers.",
            path=array.path,
            name=array.name,
            dtype=array.dtype,
        )
    shape = array.shape
    square = len(shape) == 2 and shape[1] > 1 and math.isqrt(shape[1]) ** 2 == shape[1]
    channels = len(shape) == 4 and (shape[3] in CHANNELS or shape[1] in CHANNELS)
    if 0 in shape or not (square or len(shape) == 3 or channels):
        raise DataRefusedError(
            "{path}: the array {name!r} has the shape {shape}. Pictures are (n, height, width), or with 1, 3 or 4 "
            "channels behind that or in front of it.",
            path=array.path,
            name=array.name,
            shape=shape,
        )


def _pixels(array: Array) -> NDArray[Any]:
    """(n, h, w) or (n, h, w, c), of an array that holds pictures."""
    shape, read = array.shape, array.read()
    if len(shape) == 2:
        side = math.isqrt(shape[1])
        return read.reshape(shape[0], side, side)
    return read.transpose(0, 2, 3, 1) if len(shape) == 4 and shape[3] not in CHANNELS else read


def _labels(array: Array, pixels: Array) -> list[str]:
    """The label of each picture, as text.

    Raises:
        DataRefusedError: they are none, or not as many as there are pictures.
    """
    values = array.read()
    if values.ndim == 2:
        values = values[:, 0] if values.shape[1] == 1 else _places(array, values)
    if values.ndim != 1 or len(values) != pixels.shape[0]:
        raise DataRefusedError(
            "{path}: {pixels!r} has {count:,} pictures, and {labels!r} of the shape {shape} labels for another number.",
            path=array.path,
            pixels=pixels.name,
            count=pixels.shape[0],
            labels=array.name,
            shape=array.shape,
        )
    if values.dtype.kind == "f":
        if not (np.isfinite(values) & (values == np.floor(values))).all():
            raise DataRefusedError(
                "{path}: {labels!r} holds numbers that are not whole, and a label names a class.",
                path=array.path,
                labels=array.name,
            )
        values = values.astype(np.int64)
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    if values.dtype.kind == "S":
        return [value.decode("utf-8", "replace") for value in values.tolist()]
    return [str(value) for value in values.tolist()]


def _places(array: Array, values: NDArray[Any]) -> NDArray[Any]:
    """Labels that say of each class whether it is it, as the place of that.

    Raises:
        DataRefusedError: a picture is of no class, or of several.
    """
    numbers = values.astype(np.float64, copy=False) if values.dtype.kind in "biuf" else np.zeros(0)
    if numbers.shape != values.shape or not (np.isin(numbers, (0, 1)).all() and (numbers.sum(1) == 1).all()):
        raise DataRefusedError(
            "{path}: {labels!r} of the shape {shape} does not say one class for each picture.",
            path=array.path,
            labels=array.name,
            shape=array.shape,
        )
    return np.asarray(numbers.argmax(1))


def _short(path: Path, header: Array, held: int) -> DataRefusedError:
    return DataRefusedError(
        "{path}: the array {name!r} claims {claimed:,} bytes, and there are {held:,}: the file is cut off or damaged.",
        path=path,
        name=header.name,
        claimed=header.bytes,
        held=held,
    )


def _damaged(path: Path, name: str, error: BaseException) -> DataRefusedError:
    return DataRefusedError(
        "{path}: the array {name!r} cannot be read: {problem}.", path=path, name=name, problem=str(error).rstrip(".")
    )


def _nothing(path: Path, arrays: list[Array]) -> DataNotFoundError:
    names = [f"{array.name} {array.shape}" for array in arrays]
    return DataNotFoundError(
        "{path}: no array of pixels has one of labels beside it. There is: {names}. Expected are x_train "
        "and y_train, as Keras calls them, or images and labels, with train, val or test in front or behind.",
        path=path,
        names=", ".join(names[:NAMES_SHOWN]) or Message("nothing"),
    )
