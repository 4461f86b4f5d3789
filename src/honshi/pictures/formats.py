"""Which files are pictures: a list of formats that are read, each told by its first bytes and never by its name.

Others that Pillow would try are left out on purpose: EPS and PDF would start another program.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO

from PIL import Image, ImageFile, features

# So much of a file is needed to tell what it is.
HEAD = 512
# How long the header of a BMP may be, which tells its version.
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format that is read.

    Attributes:
        name: by which Pillow knows it.
        module: Pillow's for it.
        suffixes: how names of such files end.
        begins: whether a file that begins with these bytes is one.
        feature: what Pillow must have been built with to read it.
    """

    name: str
    module: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    feature: str | None = None

    @property
    def known(self) -> bool:
        """Whether this installation of Pillow reads it."""
        return self.feature is None or bool(features.check(self.feature))

    def open(self, file: IO[bytes]) -> ImageFile.ImageFile:
        """The picture in a file, its header read.

        Raises:
            Exception: whatever Pillow stumbles over in what only begins as one.
        """
        # Not by Image.open, which would try other formats as well, and whose limit is a global setting.
        import_module(f"PIL.{self.module}")  # registers itself
        factory, _ = Image.OPEN[self.name]
        return factory(file, "")


def brands(head: bytes) -> frozenset[bytes]:
    """What a file in ISO's base media format (ISO/IEC 14496-12) says it can be read as; nothing of other files."""
    if head[4:8] != b"ftyp":
        return frozenset()
    box = head[8 : max(16, int.from_bytes(head[:4], "big"))]  # the major brand, its version, those it fits
    return frozenset({box[:4], *(box[start : start + 4] for start in range(8, len(box) - 3, 4))})


FORMATS = (
    Format(
        name="PNG",
        module="PngImagePlugin",
        suffixes=(".png", ".apng"),
        begins=lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
    ),
    Format(
        name="JPEG",
        module="JpegImagePlugin",
        suffixes=(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        begins=lambda head: head.startswith(b"\xff\xd8\xff"),
    ),
    Format(
        name="BMP",
        module="BmpImagePlugin",
        suffixes=(".bmp", ".dib"),
        begins=lambda head: head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS,
    ),
    Format(
        name="GIF",
        module="GifImagePlugin",
        suffixes=(".gif",),
        begins=lambda head: head.startswith((b"GIF87a", b"GIF89a")),
    ),
    Format(
        name="WEBP",
        module="WebPImagePlugin",
        suffixes=(".webp",),
        begins=lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP",
        feature="webp",
    ),
    Format(
        name="TIFF",
        module="TiffImagePlugin",
        suffixes=(".tif", ".tiff"),
        # Behind "CR" is what a camera of Canon's saw.
        begins=lambda head: head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")) and head[8:10] != b"CR",
    ),
    Format(
        name="PPM",
        module="PpmImagePlugin",
        suffixes=(".pgm", ".ppm", ".pbm", ".pnm", ".pfm"),
        begins=lambda head: re.match(rb"P[1-6f](?:\s|#[^\n]*\n)+\d", head) is not None,
    ),
    Format(
        name="AVIF",
        module="AvifImagePlugin",
        suffixes=(".avif", ".avifs"),
        begins=lambda head: not brands(head).isdisjoint({b"avif", b"avis"}),
        feature="avif",
    ),
    Format(
        name="JPEG2000",
        module="Jpeg2KImagePlugin",
        suffixes=(".jp2", ".j2k", ".jpf", ".jpx", ".j2c"),
        begins=lambda head: head.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")),
        feature="jpg_2000",
    ),
)
# Names that say "picture": of these formats, and of what phones save, which is not read and has to be told.
SUFFIXES = frozenset(suffix for known in FORMATS for suffix in known.suffixes) | {".heic", ".heif", ".hif"}


def format_of(head: bytes) -> Format | None:
    """The format of a file that begins with these bytes; None where it is none of those that are read."""
    return next((one for one in FORMATS if one.begins(head)), None)


def readable() -> tuple[str, ...]:
    """The names of those formats that this installation of Pillow was built with."""
    return tuple(one.name for one in FORMATS if one.known)


def begins_as_picture(file: Path) -> bool:
    """Whether a file begins as one, whatever its name says."""
    try:
        with file.open("rb") as opened:
            return format_of(opened.read(HEAD)) is not None
    except OSError:
        return False
