"""Any picture brought to what a contract wants, in NumPy alone.

Processes that only decode do without torch, which takes longer to load than a thousand pictures take to read.

Shapes: (c, h, w) one image as the model knows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from honshi.errors import ImageError
from honshi.pictures.contract import InputContract
from honshi.pictures.digits import bring_into_form, in_form
from honshi.pictures.opening import Source, called
from honshi.pictures.reader import Reading, in_8_bits, plain, read

# A picture's file, its content, or its pixels: PIL, or numbers (h, w) or (h, w, 3).
Readable: TypeAlias = Source | Image.Image | NDArray[Any]
Pixels = TypeVar("Pixels")


@dataclass(frozen=True)
class Prepared(Generic[Pixels]):
    """A picture as a model knows it.

    Attributes:
        pixels: uint8 (c, h, w), an array or a tensor.
        formed: whether it was brought into the form that the training images had (``contract.form``).
        several: whether its file holds more pictures, of which the first was taken.
    """

    pixels: Pixels
    formed: bool
    several: bool = False


def fitted(
    image: Readable, contract: InputContract, *, where: object = None, invert: bool = False
) -> Prepared[NDArray[np.uint8]]:
    """Any picture as the pixels that a model knows, as `honshi.pictures.prepare.prepare` says.

    Raises:
        ImageError, DataNotFoundError: it cannot be read.
    """
    reading = _read(image, contract, where)
    picture = reading.picture
    if invert:
        picture = ImageOps.invert(picture)
    if formed := contract.form is not None and not in_form(_pixels(picture)):
        digit = bring_into_form(picture.convert("L"))
        formed = digit is not None
        picture = picture if digit is None else Image.fromarray(digit).convert(picture.mode)
    return Prepared(_pixels(_in_size(picture, contract)), formed, reading.several)


def _in_size(picture: Image.Image, contract: InputContract) -> Image.Image:
    """In the size that the contract wants."""
    size = contract.shape[2], contract.shape[1]
    if picture.size == size:
        return picture
    match contract.fit:
        case "pad":
            return ImageOps.pad(picture, size, Image.Resampling.LANCZOS, color=_border(picture))
        case "crop":
            return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
        case "stretch":
            return picture.resize(size, Image.Resampling.LANCZOS)


def _read(image: Readable, contract: InputContract, where: object) -> Reading:
    """In the mode that the contract wants, upright."""
    if isinstance(image, (str, Path, bytes)):
        return read(image, contract, where)
    name = called(image, where)
    try:
        picture = image if isinstance(image, Image.Image) else _from_pixels(image, contract, name)
        return Reading(plain(picture, contract, name))
    except (ValueError, OSError) as error:
        raise ImageError("{where}: the image cannot be read: {problem}.", where=name, problem=error) from error


def _from_pixels(image: NDArray[Any], contract: InputContract, where: str) -> Image.Image:
    """Pixels as a picture; channels come last."""
    if not isinstance(image, np.ndarray):
        raise ImageError(
            "A picture is the path of a file, its bytes, a PIL image, or pixels as a NumPy array or a tensor, not a "
            "{kind}.",
            kind=type(image).__name__,
        )
    if 0 in image.shape or image.ndim < 2 or image.shape[2:] not in ((), (1,), (3,), (4,)):
        raise ImageError("The pixels of one image are (h, w) or (h, w, 3) in numpy, not {shape}.", shape=image.shape)
    pixels = image[..., 0] if image.shape[2:] == (1,) else image
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif pixels.dtype.kind not in "iuf":
        raise ImageError("Pixels are numbers, and not {dtype}: uint8 from 0 to 255 is usual.", dtype=image.dtype)
    elif pixels.dtype != np.uint8:
        pixels = in_8_bits(pixels, contract.scale, where)
    return Image.fromarray(np.ascontiguousarray(pixels))


def _pixels(picture: Image.Image) -> NDArray[np.uint8]:
    """A picture of the mode "L" or "RGB" as (c, h, w)."""
    pixels = np.array(picture)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _border(picture: Image.Image) -> int | tuple[int, ...]:
    """The median colour of the four corners."""
    width, height = picture.size
    corners = [picture.getpixel((x, y)) for x in (0, width - 1) for y in (0, height - 1)]
    median = np.median(np.array(corners), axis=0).astype(int)  # of (4,) or (4, 3)
    return int(median) if median.ndim == 0 else tuple(int(value) for value in median)
