"""What a picture is like, found as cheaply as its format allows: for the size, colours and scale of a data set."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from honshi.errors import ImageError
from honshi.pictures.contract import LECTURE, InputContract
from honshi.pictures.facts import Facts
from honshi.pictures.opening import Source, called, opened
from honshi.pictures.reader import holds_several, read, upright_size

# What is larger is no brightness: such numbers stand for "no data".
LARGEST_VALUE = 1e30
# How much of a picture is enough to see whether it has colours.
_COLOUR = InputContract(shape=(3, 64, 64), normalization=LECTURE)
# By how much the colours of a grey picture may differ, of 255, where a lossy format was used.
GREY_WITHIN = 3
# Pillow's modes without colours.
_GREY = {"1", "L", "LA", "La", "I", "F"}


def probe(source: Source | NDArray[Any], where: object = None) -> Facts:
    """What a picture is like.

    Its header tells; pixels are decoded only where values have more than 8 bits.

    Args:
        source: a file, the bytes of one, or pixels (h, w), (h, w, 1), (h, w, 3) or (h, w, 4).
        where: what errors call it; its path, if left out.

    Raises:
        DataNotFoundError: there is no such file.
        ImageError: it is not a picture, is too large, or has values that are no brightness: below 0, NaN, infinite.
    """
    name = called(source, where)
    if isinstance(source, np.ndarray):
        height, width, *channels = source.shape
        return _with_values(source, name, width, height, 3 if channels and channels[0] > 1 else 1)
    with opened(source, where) as picture:
        width, height = upright_size(picture)
        several = holds_several(picture)
        if picture.mode not in ("I", "F") and not picture.mode.startswith("I;16"):
            return Facts(width=width, height=height, channels=1 if _can_only_be_grey(picture) else 3, several=several)
        if picture.format == "PPM" and picture.mode == "I":  # brought to 16 bits from what its header calls white
            return Facts(width=width, height=height, channels=1, kind="integers", highest=65535, several=several)
        return _with_values(np.asarray(picture), name, width, height, 1, several=several)


def is_colourful(source: Source | NDArray[Any], where: object = None) -> bool:
    """Whether a picture has colours indeed, which one that can hold them need not; it is decoded for that.

    Raises:
        DataNotFoundError, ImageError: as `probe`.
    """
    if probe(source, where).channels == 1:
        return False
    if isinstance(source, np.ndarray):
        colours = source[..., :3].astype(np.float64)  # (h, w, 3)
        white = max(255.0, float(colours.max()))
    else:
        colours, white = np.asarray(read(source, _COLOUR, where).picture, np.float64), 255.0
    return float(np.ptp(colours, axis=2).max()) > GREY_WITHIN / 255 * white


def _can_only_be_grey(picture: Image.Image) -> bool:
    if picture.mode in ("P", "PA"):
        colours = np.array(picture.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)
        return bool((np.ptp(colours, axis=1) == 0).all())
    return picture.mode in _GREY


def _with_values(
    values: NDArray[Any], where: str, width: int, height: int, channels: Literal[1, 3], *, several: bool = False
) -> Facts:
    """Of pixels that are there already."""
    if values.dtype in (np.bool_, np.uint8):
        return Facts(width=width, height=height, channels=channels, several=several)
    lowest, highest = float(values.min()), float(values.max())
    if not (lowest >= 0 and highest <= LARGEST_VALUE):
        raise ImageError(
            "{where}: it has values from {lowest:g} to {highest:g}, and a picture's are brightness: 0 is black, and "
            "what is lighter is more. Shift or scale all pictures alike, so that none is below 0, NaN or infinite.",
            where=where,
            lowest=lowest,
            highest=highest,
        )
    return Facts(
        width=width,
        height=height,
        channels=channels,
        kind="floats" if values.dtype.kind == "f" else "integers",
        lowest=lowest,
        highest=highest,
        several=several,
    )
