"""What is in a picture that was drawn: its pixels, and of an SVG the words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels(path: Path) -> NDArray[np.int64]:
    """Of a PNG: red, green and blue (h, w, 3)."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(np.int64)


def colours(path: Path) -> set[str]:
    """The colours in a PNG, as #RRGGBB."""
    return {"#{:02X}{:02X}{:02X}".format(*colour) for colour in np.unique(pixels(path).reshape(-1, 3), axis=0)}


def places(path: Path, colour: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows and the columns of a PNG where it has exactly this colour, #RRGGBB."""
    wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    rows, columns = np.nonzero((pixels(path) == wanted).all(axis=-1))
    return rows, columns


def words(path: Path) -> list[str]:
    """Everything that is written in an SVG: letters are shapes there, with a comment that says what they spell."""
    return re.findall("<!-- (.*) -->", path.read_text("utf-8"))
