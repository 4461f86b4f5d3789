"""A picture's file as a picture, in the mode that a model wants: the one reader for training and prediction alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from honshi.errors import ImageError
from honshi.messages import Message
from honshi.pictures.contract import ROUNDING, InputContract, Scale
from honshi.pictures.opening import Source, called, opened

# A picture that is brought into a form is made smaller by a whole factor before that, if it has more pixels.
LARGE = 4_000_000
# Pixels that are brought into another mode at once.
STRIP = 1 << 20
# What EXIF calls the way up, and how each is turned to be shown (CIPA DC-008, "Orientation").
ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPPING = {_TURNS[said] for said in (5, 6, 7, 8)}  # width and height


@dataclass(frozen=True)
class Reading:
    """A picture as it was read.

    Attributes:
        picture: in the mode "L" or "RGB", upright, made smaller where it was much larger than is wanted.
        several: whether its file holds more pictures, of which it is the first.
    """

    picture: Image.Image
    several: bool = False


def read(source: Source, contract: InputContract, where: object = None) -> Reading:
    """The picture in a file, or in the bytes of one.

    Args:
        source: a path, or bytes from an archive, a table or an upload.
        contract: what the model wants, which says whether grey or colour, and how much of it is needed.
        where: what errors call it; its path, if left out.

    Raises:
        DataNotFoundError: there is no such file.
        ImageError: it is not a picture, is damaged, too large, or has values outside the scale.
    """
    with opened(source, where) as picture:
        factor = _reduction(upright_size(picture), contract)
        # What JPEG need not decode.
        picture.draft(_mode(contract), (picture.width // factor, picture.height // factor))
        return Reading(plain(picture, contract, called(source, where)), several=holds_several(picture))


def plain(picture: Image.Image, contract: InputContract, where: str) -> Image.Image:
    """Any picture in the mode that a contract wants, "L" or "RGB", upright.

    What is transparent in it is white, as where it was drawn. One that is much larger than the contract wants is
    made smaller on the way, a strip at a time, so that no second copy of it is held.

    Raises:
        ImageError: it has values outside the scale.
        ValueError: its mode cannot be turned into that one.
    """
    picture.load()
    factor = _reduction(upright_size(picture), contract)
    turn = _turn(picture)
    if factor == 1 and picture.mode == _mode(contract) and not picture.has_transparency_data:
        return picture.copy() if turn is None else picture.transpose(turn)
    width, height = picture.size
    flat = Image.new(_mode(contract), (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, STRIP // (width * factor))
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        if _lacks_adobe(picture):
            strip = ImageChops.invert(strip)
        flat.paste(_flat(strip, contract.scale, where).convert(flat.mode).reduce(factor), (0, top // factor))
    return flat if turn is None else flat.transpose(turn)


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height of a picture as it is shown, whether its pixels have been decoded or not."""
    width, height = picture.size
    return (height, width) if _turn(picture) in _SWAPPING else (width, height)


def holds_several(picture: Image.Image) -> bool:
    """Whether its file holds more pictures of which it is the first: an animation, pages."""
    # The second image of a camera's MPO is a preview of the first, or shows it from the side.
    return picture.format != "MPO" and bool(getattr(picture, "is_animated", False))


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """How a picture has to be turned to be upright; None where it is, or nothing that can be understood is said."""
    if picture.format == "TIFF":  # which Pillow turns itself
        return None
    try:
        return _TURNS.get(picture.getexif().get(ORIENTATION, 1))
    # It is what any program wrote there, and whatever is wrong with it harms no pixel.
    except Exception:
        return None


def _lacks_adobe(picture: Image.Image) -> bool:
    """Whether it is a JPEG of inks as only Adobe does not write it, which Pillow expects: 0 is none of an ink."""
    return picture.format == "JPEG" and picture.mode == "CMYK" and "adobe" not in picture.info


def in_8_bits(values: NDArray[np.generic], scale: Scale, where: str) -> NDArray[np.uint8]:
    """Integers of more than 8 bits, or floating-point numbers, brought to 8 bits by a scale; of any shape.

    Raises:
        ImageError: some lie outside it, or are no numbers.
    """
    floats = values.dtype.kind == "f"
    white = scale.floats if floats else scale.integers
    lowest, highest = float(values.min()), float(values.max())
    beyond = white * ROUNDING if floats else 0
    if not (lowest >= -beyond and highest <= white + beyond):  # nor where one is not a number
        raise ImageError(
            "{where}: it has values from {lowest:g} to {highest:g}, and in pictures of {kind} this model takes 0 for "
            "black and {white:g} for white. Save it in that scale, or with 8 bits.",
            where=where,
            lowest=lowest,
            highest=highest,
            kind=Message("floating-point numbers") if floats else Message("16 or 32 bits"),
            white=white,
        )
    return np.rint(values.astype(np.float64).clip(0, white) * (255 / white)).astype(np.uint8)


def _flat(strip: Image.Image, scale: Scale, where: str) -> Image.Image:
    """Without transparency, and in 8 bits."""
    if strip.mode in ("I", "F") or strip.mode.startswith("I;16"):
        values = np.asarray(strip)
        flat = in_8_bits(values, scale, where)
        see_through = strip.info.get("transparency")
        return Image.fromarray(flat if see_through is None else np.where(values == see_through, np.uint8(255), flat))
    if strip.has_transparency_data:
        # Of premultiplied grey Pillow knows no direct way there.
        strip = strip.convert("LA").convert("RGBA") if strip.mode == "La" else strip.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB")
    # From these Pillow knows no direct way to grey.
    return strip.convert("RGB") if strip.mode in ("LAB", "HSV") else strip


def _mode(contract: InputContract) -> str:
    return "L" if contract.shape[0] == 1 else "RGB"


def _reduction(size: tuple[int, int], contract: InputContract) -> int:
    """By which whole factor a picture can be made smaller and still has more than twice what the contract wants.

    Args:
        size: width and height.
        contract: what is wanted; pictures that are brought into a form need more, to be looked at.
    """
    _, height, width = contract.shape
    factors = size[0] / width, size[1] / height
    enough = int((max(factors) if contract.fit == "pad" else min(factors)) / 2)
    if contract.form is not None:
        enough = min(enough, math.ceil(math.sqrt(size[0] * size[1] / LARGE)))
    return max(1, enough)
