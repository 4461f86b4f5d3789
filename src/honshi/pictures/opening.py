"""A picture's file opened: only of the formats that are listed, and never more of it than fits in memory.

All that is read has a bound before it is read, taken from the file's header.
"""

from __future__ import annotations

import io
import stat
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from PIL import Image, ImageFile, TiffImagePlugin

from honshi.errors import DataNotFoundError, ImageError
from honshi.messages import Message, first_line, printable
from honshi.pictures.anymap import decoded, is_slow
from honshi.pictures.foreign import of_a_tiff, what_it_is
from honshi.pictures.formats import HEAD, format_of
from honshi.pictures.watched import TooMuchError, Watched

# A picture's file, or what is in one: from an archive, a table, an upload.
Source = str | Path | bytes

# The pixels that a picture may have, so that reading it takes less than 300 MB: in colour each is 4 bytes, and some
# decoders hold more than one copy.
LARGEST = 50_000_000
# In grey each is 1 byte.
LARGEST_GREY = 175_000_000
LARGEST_OF = {
    "progressive JPEG": 25_000_000,
    "WEBP": 18_000_000,
    "AVIF": 30_000_000,
    "JPEG2000": 15_000_000,
    "numbers": 15_000_000,  # a PGM or PPM that is decoded by honshi
}
# How often, and how many bytes, a file is read for its header, and how many more for each pixel. Of a TIFF, a million
# bytes can become so many numbers in memory.
CALLS = 500_000
HEADER, HEADER_OF = 64 << 20, {"TIFF": 16 << 20}
PER_PIXEL = 16
# Chunks of a PNG that say nothing of how it is turned, as EXIF data and XMP do.
SILENT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs", b"bKGD"}


@contextmanager
def opened(source: Source, where: object = None) -> Iterator[Image.Image]:
    """The picture in a file, its header read and its pixels not yet.

    Whatever happens to it within is told as what is wrong with the file.

    Args:
        source: a file, or the bytes of one.
        where: what errors call it; its path, if left out.

    Raises:
        DataNotFoundError: there is no such file.
        ImageError: it is not a picture that is read, is damaged or too large.
    """
    where = called(source, where)
    try:
        with _file(source, where) as file, warnings.catch_warnings():
            # Pillow warns of what is odd in files and harmless.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            picture = _open(file, where)
            try:
                yield picture
            finally:
                picture.close()
    except (ImageError, DataNotFoundError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(where, LARGEST) from None
    except TooMuchError:
        raise ImageError(
            "{where}: the image cannot be read: it holds far more than its pixels need. Save it anew as PNG or JPEG.",
            where=where,
        ) from None
    # Pillow reports damage by whatever its decoders stumble over: OSError, SyntaxError, struct.error, IndexError.
    except Exception as error:
        raise ImageError(
            "{where}: the image is damaged or not whole: {problem}. Get it again, or save it anew as PNG or JPEG.",
            where=where,
            problem=printable(_said(error)),
        ) from error


def called(source: object, where: object) -> str:
    """What errors call a picture."""
    if where is None:
        where = source if isinstance(source, (str, Path)) else "The picture"
    return printable(where)


def _open(file: IO[bytes], where: str) -> Image.Image:
    head = file.read(HEAD)
    file.seek(0)
    form = format_of(head)
    if form is None or not form.known:
        raise _unreadable(where, what_it_is(head) if form is None else Message("Save it as PNG or JPEG."))
    watched = Watched(file, calls=CALLS, most=HEADER_OF.get(form.name, HEADER))
    within = cast("IO[bytes]", watched)
    picture = form.open(within)
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and (raw := of_a_tiff(picture)) is not None:
        raise _unreadable(where, raw)
    pixels = picture.width * picture.height
    largest = _largest(picture, form.name)
    if pixels > largest:
        raise _too_large(where, largest)
    most = HEADER_OF.get(form.name, HEADER) + PER_PIXEL * pixels
    watched.allow(calls=CALLS, most=most)
    if form.name == "PNG":
        if picture.mode == "P" and picture.palette is None:
            raise OSError("its palette is missing")
        if _checked(within) <= SILENT:
            # Pillow looks for EXIF data behind the pixels too, and decodes them all for that.
            picture.getexif = Image.Exif  # type: ignore[method-assign]
        watched.allow(calls=CALLS, most=most)
    return decoded(picture, within) if is_slow(picture) else picture


def _checked(file: IO[bytes]) -> set[bytes]:
    """See that the pixels of a PNG are those that were written: of a wrong byte Pillow makes a wrong picture.

    The file is left where it was.

    Returns:
        The kinds of chunks that are in it.

    Raises:
        OSError: a sum is another one.
    """
    start, kinds = file.tell(), set()
    file.seek(8)  # behind what every PNG begins with
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        kinds.add(kind)
        if kind != b"IDAT":
            file.seek(length + 4, io.SEEK_CUR)
        elif zlib.crc32(file.read(length), zlib.crc32(kind)) != int.from_bytes(file.read(4), "big"):
            raise OSError("the sum over its pixels is another one than was written beside them")
    file.seek(start)
    return kinds


def _largest(picture: ImageFile.ImageFile, name: str) -> int:
    """The pixels that it may have."""
    if picture.info.get("progressive"):  # of which all coefficients are held before the first pixel is made
        return LARGEST_OF["progressive JPEG"]
    if is_slow(picture):
        return LARGEST_OF["numbers"]
    return LARGEST_OF.get(name, LARGEST_GREY if picture.mode in ("1", "L", "P") else LARGEST)


def _unreadable(where: str, what: Message) -> ImageError:
    return ImageError("{where}: this is not an image that can be read. {what}", where=where, what=what)


def _file(source: Source, where: str) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    path = Path(source)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ImageError("{where}: the image cannot be read: it is a folder.", where=where)
        if not stat.S_ISREG(mode):
            raise ImageError("{where}: the image cannot be read: it is a pipe or a device and not a file.", where=where)
        return path.open("rb")
    except FileNotFoundError:
        raise DataNotFoundError("{where}: there is no such file.", where=where) from None
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise ImageError("{where}: the image cannot be read: {problem}.", where=where, problem=problem) from None


def _said(error: Exception) -> str:
    """What Pillow says of damage, in one line."""
    said = " ".join(str(error).split()).rstrip(".")
    return said if isinstance(error, (OSError, SyntaxError)) and said else first_line(error)


def _too_large(where: str, largest: int) -> ImageError:
    return ImageError(
        "{where}: the image cannot be read: it has more than {largest:,} pixels. Scale it down first.",
        where=where,
        largest=largest,
    )
