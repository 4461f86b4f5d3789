"""A picture's file opened: only of the formats that are listed, and never more of it than fits in memory.

All that is read has a bound before it is read, taken from the file's header.
"""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image, ImageFile

from honshi.errors import DataNotFoundError, ImageError
from honshi.messages import first_line, printable
from honshi.pictures.formats import HEAD, format_of

# A picture's file, or what is in one: from an archive, a table, an upload.
Source = str | Path | bytes

# The pixels that a picture may have, so that reading it takes less than 300 MB: in colour each is 4 bytes, and some
# decoders hold more than one copy.
LARGEST = 50_000_000
LARGEST_OF = {"progressive JPEG": 25_000_000, "WEBP": 18_000_000, "AVIF": 30_000_000, "JPEG2000": 15_000_000}


@contextmanager
def opened(source: Source, where: object = None) -> Iterator[ImageFile.ImageFile]:
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
    # Pillow reports damage by whatever its decoders stumble over: OSError, SyntaxError, struct.error, IndexError.
    except Exception as error:
        raise ImageError(
            "{where}: the image cannot be read: {problem}.", where=where, problem=printable(_said(error))
        ) from error


def called(source: object, where: object) -> str:
    """What errors call a picture."""
    if where is None:
        where = source if isinstance(source, (str, Path)) else "The picture"
    return printable(where)


def _open(file: IO[bytes], where: str) -> ImageFile.ImageFile:
    head = file.read(HEAD)
    file.seek(0)
    form = format_of(head)
    if form is None or not form.known:
        raise ImageError("{where}: this is not an image that can be read. Save it as PNG or JPEG.", where=where)
    picture = form.open(file)
    # Of a progressive JPEG all coefficients are held before the first pixel is made.
    largest = LARGEST_OF.get("progressive JPEG" if picture.info.get("progressive") else form.name, LARGEST)
    if picture.width * picture.height > largest:
        raise _too_large(where, largest)
    return picture


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
