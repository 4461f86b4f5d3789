"""A few pictures decoded: the work of one thread or one process, which knows nothing of stores.

Shapes: (c, h, w) one picture as the model knows it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from honshi.data.listing import Raw
from honshi.errors import HonshiError, ImageError
from honshi.files import explain
from honshi.messages import Message
from honshi.pictures.contract import InputContract
from honshi.pictures.fitting import fitted

# The bytes of a picture's file that are read: what has more is none.
LARGEST_FILE = 1 << 30


@dataclass(frozen=True)
class Decoded:
    """One picture, or why it is none.

    Attributes:
        place: of it.
        content: SHA-256 of what it was.
        pixels: uint8, c h w bytes.
        digest: SHA-256 of the pixels.
        problem: what kept it from being read.
    """

    place: int
    content: bytes = b""
    pixels: bytes = b""
    digest: bytes = b""
    problem: Message | None = None


def decode(pictures: Sequence[tuple[int, str, Raw | Message]], contract: InputContract) -> list[Decoded]:
    """Read some pictures.

    Args:
        pictures: of each its place, its name, and itself, or what kept it from being opened.
        contract: what each is brought to.
    """
    return [_decoded(place, name, raw, contract) for place, name, raw in pictures]


def _decoded(place: int, name: str, raw: Raw | Message, contract: InputContract) -> Decoded:
    if isinstance(raw, Message):
        return Decoded(place, problem=raw)
    content = b""
    try:
        content, read = content_of(raw)
        pixels = _pixels(read, name, contract)
    except HonshiError as error:
        return Decoded(place, content, problem=_plain(error.message))
    return Decoded(place, content, pixels, hashlib.sha256(pixels).digest())


def content_of(raw: Raw) -> tuple[bytes, bytes | NDArray[Any]]:
    """SHA-256 of what a picture is before it is brought to a size, and that itself: a file's bytes, or an array.

    Raises:
        ImageError: its file cannot be read.
    """
    if isinstance(raw, Path):
        raw = read_file(raw)
    if isinstance(raw, bytes):
        return hashlib.sha256(raw).digest(), raw
    kind = f"{raw.dtype.newbyteorder('<').str} {raw.shape} "
    little = np.ascontiguousarray(raw, raw.dtype.newbyteorder("<"))
    return hashlib.sha256(kind.encode() + little.tobytes()).digest(), raw


def read_file(path: Path) -> bytes:
    """The content of a picture's file.

    Raises:
        ImageError: it cannot be read, or no picture is as large.
    """
    try:
        # Not to wait at a pipe for whoever is at its other end.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise ImageError("{path}: the image cannot be read: it is not a file.", path=path)
            if about.st_size > LARGEST_FILE:
                raise ImageError(
                    "{path}: the image cannot be read: it has more than {most:,} bytes.", path=path, most=LARGEST_FILE
                )
            return os.read(descriptor, about.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ImageError("{problem}", problem=explain(error)) from None


def _pixels(raw: bytes | NDArray[Any], name: str, contract: InputContract) -> bytes:
    """
    Raises:
        HonshiError: it is no picture.
    """
    if isinstance(raw, np.ndarray) and (plain := _as_it_is(raw, contract)) is not None:
        return plain
    return fitted(raw, contract, where=name).pixels.tobytes()


def _as_it_is(pixels: NDArray[Any], contract: InputContract) -> bytes | None:
    """Raw pixels (h, w) or (h, w, c) that have the shape already; None of others."""
    channels, height, width = contract.shape
    if pixels.dtype != np.uint8 or contract.form is not None:
        return None
    if pixels.shape == (height, width) and channels == 1:
        return pixels.tobytes()
    if pixels.shape == (height, width, channels):
        return pixels.transpose(2, 0, 1).tobytes()
    return None


def _plain(message: Message) -> Message:
    """With nothing in it but what JSON and another process can hold."""
    values = {
        name: value if isinstance(value, (int, float, str)) else str(value)
        for name, value in message.parameters.items()
    }
    return Message(message.sentence, **values)
