"""A picture's file as a picture: only of the formats that are listed, and never more than fits in memory.

All that is read has a bound before it is read, taken from the file's header.
"""

from __future__ import annotations

import math
import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from honshi.errors import DataNotFoundError, ImageError
from honshi.pictures.contract import InputContract, Scale
from honshi.pictures.formats import readable

# The pixels that a picture may have, so that reading it takes less than 300 MB: in colour each is 4 bytes, and some
# decoders hold more than one copy.
LARGEST = 50_000_000
LARGEST_OF = {"progressive JPEG": 25_000_000, "WEBP": 18_000_000, "AVIF": 30_000_000, "JPEG2000": 15_000_000}
# A picture of more is made smaller by a whole factor before anything else is done with it.
LARGE = 4_000_000
# Rows, after that, which are brought into another mode at once.
STRIP = 64


def read(path: str | Path, contract: InputContract) -> Image.Image:
    """The picture in a file, upright, in the mode "L" or "RGB".

    Raises:
        DataNotFoundError: there is no such file.
        ImageError: it is not a picture, is damaged, too large, or has values outside the scale.
    """
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        raise DataNotFoundError("{path}: there is no such file.", path=path) from None
    except (OSError, ValueError) as error:
        raise ImageError("{path}: the image cannot be read: {error}.", path=path, error=error) from None
    if stat.S_ISDIR(mode):
        raise ImageError("{path}: the image cannot be read: it is a folder.", path=path)
    if not stat.S_ISREG(mode):
        raise ImageError("{path}: the image cannot be read: it is a pipe or a device and not a file.", path=path)
    try:
        with Image.open(path, formats=readable()) as opened:
            # Of a progressive JPEG all coefficients are held before the first pixel is made.
            kind = "progressive JPEG" if opened.info.get("progressive") else str(opened.format)
            largest = LARGEST_OF.get(kind, LARGEST)
            if opened.width * opened.height > largest:
                raise _too_large(path, largest)
            factor = _reduction(opened.size, contract)
            if factor > 1:  # what JPEG need not decode
                opened.draft(_mode(contract), (opened.width // factor, opened.height // factor))
            return plain(opened, contract, path)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("{path}: this is not an image that can be read. Save it as PNG or JPEG.", path=path) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(path, LARGEST) from None
    # Pillow reports damage by whatever its decoders stumble over: OSError, SyntaxError, struct.error, IndexError.
    except Exception as error:
        raise ImageError("{path}: the image cannot be read: {error}.", path=path, error=error) from error


def plain(picture: Image.Image, contract: InputContract, where: object) -> Image.Image:
    """Any picture in the mode that a contract wants, "L" or "RGB", upright.

    What is transparent in it is white, as where it was drawn. One that is much larger than the contract wants is
    made smaller on the way, a strip at a time, so that no second copy of it is held.

    Raises:
        ImageError: it has values outside the scale.
        ValueError: its mode cannot be turned into that one.
    """
    factor = _reduction(picture.size, contract)
    width, height = picture.size
    flat = Image.new(_mode(contract), (-(-width // factor), -(-height // factor)))
    for top in range(0, height, STRIP * factor):
        strip = picture.crop((0, top, width, min(top + STRIP * factor, height)))
        flat.paste(_flat(strip, contract.scale, where).convert(flat.mode).reduce(factor), (0, top // factor))
    flat.info = dict(picture.info)  # which way up it is
    return ImageOps.exif_transpose(flat)


def _flat(strip: Image.Image, scale: Scale, where: object) -> Image.Image:
    """Without transparency, and in 8 bits."""
    if strip.mode in ("I", "F") or strip.mode.startswith("I;16"):
        return _in_8_bits(strip, scale, where)
    if strip.has_transparency_data:
        strip = strip.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB")
    # From these Pillow knows no direct way to grey.
    return strip.convert("RGB") if strip.mode in ("LAB", "HSV") else strip


def _mode(contract: InputContract) -> str:
    return "L" if contract.shape[0] == 1 else "RGB"


def _reduction(size: tuple[int, int], contract: InputContract) -> int:
    """By which whole factor a picture can be made smaller and still has more than twice what the contract wants."""
    _, height, width = contract.shape
    enough = max(size[0] / width, size[1] / height) / 2
    return max(1, min(math.ceil(math.sqrt(size[0] * size[1] / LARGE)), int(enough)))


def _in_8_bits(strip: Image.Image, scale: Scale, where: object) -> Image.Image:
    white = scale.floats if strip.mode == "F" else scale.integers
    values = np.asarray(strip, np.float64)
    if not (values.min() >= 0 and values.max() <= white):  # nor where one is not a number
        raise ImageError(
            "{where}: it has values from {lowest:g} to {highest:g}, and in pictures of {kind} this model takes 0 for "
            "black and {white:g} for white. Save it in that scale, or with 8 bits.",
            where=where,
            lowest=values.min(),
            highest=values.max(),
            kind="floating-point numbers" if strip.mode == "F" else "16 or 32 bits",
            white=white,
        )
    return Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))


def _too_large(path: str | Path, largest: int) -> ImageError:
    return ImageError(
        "{path}: the image cannot be read: it has more than {largest:,} pixels. Scale it down first.",
        path=path,
        largest=largest,
    )
