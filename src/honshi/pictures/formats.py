"""Which files are pictures: a list of formats that are read, told by what is in a file before its name.

Others that Pillow would try are left out on purpose: EPS and PDF would start another program.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image

# The name that Pillow has for a format, and how names of such files end.
FORMATS: dict[str, tuple[str, ...]] = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".pgm", ".ppm", ".pbm", ".pnm", ".pfm"),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx", ".j2c"),
}
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)


@cache
def readable() -> tuple[str, ...]:
    """Those of the formats that this installation of Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def is_called_picture(file: Path) -> bool:
    """Whether a file's name says that it is one."""
    return file.suffix.lower() in SUFFIXES


def begins_as_picture(file: Path) -> bool:
    """Whether a file begins as one, whatever its name says."""
    try:
        with Image.open(file, formats=readable()):
            return True
    # Whatever Pillow says of a file that nobody called a picture, it is none.
    except Exception:
        return False
