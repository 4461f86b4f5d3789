"""What a picture is before it is read: its size, and of which kind its values are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from honshi.data.listing import Raw
from honshi.errors import ImageError
from honshi.pictures.contract import Scale
from honshi.pictures.formats import readable


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of one picture.

    Attributes:
        width, height: after it is turned as its EXIF data say.
        channels: 1 grey, 3 where it can hold colours.
        kind: of its values.
    """

    width: int
    height: int
    channels: int
    kind: Literal["8 bit", "integers", "floats"] = "8 bit"


def probe(raw: Raw, name: str) -> Facts:
    """Look at a picture without reading it.

    Raises:
        ImageError: it is none.
    """
    if isinstance(raw, np.ndarray):
        return Facts(width=raw.shape[1], height=raw.shape[0], channels=3 if raw.shape[2:] in ((3,), (4,)) else 1)
    try:
        with Image.open(raw if isinstance(raw, Path) else io.BytesIO(raw), formats=readable()) as picture:
            width, height = picture.size
            if picture.getexif().get(0x0112, 1) in (5, 6, 7, 8):
                width, height = height, width
            grey = picture.mode in ("1", "L", "LA", "I", "F") or picture.mode.startswith("I;16")
            return Facts(width=width, height=height, channels=1 if grey else 3)
    except Exception as error:
        raise ImageError("{name}: this cannot be read: {error}.", name=name, error=str(error)) from None


def is_colourful(raw: Raw, name: str) -> bool:
    """Whether a picture can hold colours."""
    return probe(raw, name).channels == 3


def scale_of(facts: Sequence[Facts]) -> Scale:
    """The usual scale."""
    return Scale()
