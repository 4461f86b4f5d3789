"""Pixels as the content of a picture's file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def as_png(pixels: NDArray[Any], level: int = -1) -> bytes:
    """Pixels as a PNG, without loss.

    Args:
        pixels: uint8 (h, w, 1) or (h, w, 3).
        level: how hard zlib tries, 0 to 9; -1 leaves it to zlib.
    """
    stream = io.BytesIO()
    plain = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(np.ascontiguousarray(plain)).save(stream, "PNG", compress_level=level)
    return stream.getvalue()
