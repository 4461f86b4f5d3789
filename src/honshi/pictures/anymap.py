"""The pixels of PBM, PGM and PPM files that Pillow decodes number by number, in Python: text, and unusual whites.

Their header is read by Pillow; what is done here is done by NumPy, in a fiftieth of the time.
"""

from __future__ import annotations

import re
from typing import IO

import numpy as np
from PIL import Image, ImageFile

# As Pillow calls the ways in which such pixels are written.
_TEXT, _NUMBERS = "ppm_plain", "ppm"
# The longest number in a text, with the space behind it.
_DIGITS = 12


def is_slow(picture: ImageFile.ImageFile) -> bool:
    """Whether Pillow would decode a picture, its header read, number by number."""
    return bool(picture.tile) and picture.tile[0].codec_name in (_TEXT, _NUMBERS)


def decoded(picture: ImageFile.ImageFile, file: IO[bytes]) -> Image.Image:
    """The picture, its pixels read from its file: "L", "RGB", or "I;16" whose white is 65535.

    Raises:
        ValueError: there are too few, or some are larger than the white that its header told.
    """
    codec, _, offset, arguments = picture.tile[0]
    bands = len(picture.getbands())
    count = picture.width * picture.height * bands
    file.seek(offset)
    bits = picture.mode == "1"
    white = int(arguments[-1]) if isinstance(arguments, tuple) else 1
    if codec == _NUMBERS:
        kind = np.dtype(np.uint8 if white < 256 else ">u2")
        values = np.frombuffer(file.read(count * kind.itemsize), kind)
    else:
        text = re.sub(rb"#[^\n\r]*", b" ", file.read(count * (2 if bits else _DIGITS) + ImageFile.MAXBLOCK))
        if bits:  # which need no space between them
            values = np.frombuffer(re.sub(rb"\s+", b"", text)[:count], np.uint8) - ord("0")
        elif re.fullmatch(rb"[\s\d]*", text):
            values = np.fromstring(text.decode("ascii"), np.int64, count=-1, sep=" ")[:count]
        else:
            raise ValueError("there is something else than numbers in it")
    if len(values) < count:
        raise ValueError(f"image file is truncated ({len(values):,} of {count:,} values)")
    if not (values.min() >= 0 and values.max() <= white):
        raise ValueError(f"a value is larger than {white}, which its header calls white")
    shape = (picture.height, picture.width, *((bands,) if bands > 1 else ()))
    to = 65535 if picture.mode == "I" else 255
    # What each value becomes (white + 1); of bits 1 is black.
    lights = np.rint(np.arange(white + 1) * (to / white)).astype(np.uint16 if to > 255 else np.uint8)
    pixels = (lights[::-1] if bits else lights)[values]
    found = Image.fromarray(pixels.reshape(shape))
    found.format = picture.format
    return found
