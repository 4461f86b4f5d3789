"""What a file is that is not read as a picture, told by its first bytes: each kind with what to do about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from honshi.messages import Message
from honshi.pictures.formats import brands

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import TiffImageFile

# Of HEVC pictures in HEIF (ISO/IEC 23008-12); "mif1" and "msf1" say only that it is some HEIF.
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_RAW = Message("It is what a camera's sensor saw (RAW), and not a picture yet. Develop it and save it as JPEG or PNG.")
_ICON = Message("It is an icon, which holds one picture in many sizes. Save the largest as PNG.")
_VIDEO = Message("It is a video. Save single pictures of it as JPEG or PNG.")
_SCIENTIFIC = Message("It is a file of scientific data. Save what it shows as TIFF or PNG.")
_ARCHIVE = Message("It is an archive or a compressed file. Unpack it first.")
# Tags of TIFF (TIFF 6.0, TIFF/EP, DNG 1.7): pictures within the picture, and how the numbers of one are meant.
_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
_FILTERS = (32803, 34892)  # a colour filter before each pixel, or linear
# What a file begins with, from which byte on, and what it is then.
_BEGINNINGS: tuple[tuple[int, tuple[bytes, ...], Message], ...] = (
    (0, (b"8BPS",), Message("It is a Photoshop document (PSD). Export it as PNG or JPEG.")),
    (0, (b"gimp xcf",), Message("It is a GIMP document (XCF). Export it as PNG or JPEG.")),
    (0, (b"%PDF",), Message("It is a PDF document. Export its pages as PNG.")),
    (
        0,
        (b"%!PS", b"\xc5\xd0\xd3\xc6"),
        Message("It is a PostScript program (PS, EPS), and honshi runs none: save it as PNG."),
    ),
    (0, (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"), Message("It is a JPEG XL picture. Convert it to PNG or JPEG.")),
    (0, (b"II\xbc",), Message("It is a JPEG XR picture. Convert it to PNG or JPEG.")),
    (
        0,
        (b"v/1\x01", b"#?RADIANCE", b"#?RGBE"),
        Message("It is a picture of high dynamic range (EXR, HDR). Save it as PNG, JPEG or TIFF."),
    ),
    (0, (b"FUJIFILMCCD-RAW", b"II\x1a\0\0\0HEAPCCDR", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM"), _RAW),
    (8, (b"CR\x02",), _RAW),
    (0, (b"\0\0\1\0", b"\0\0\2\0", b"icns"), _ICON),
    (0, (b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3"), _VIDEO),
    (8, (b"AVI ",), _VIDEO),
    (128, (b"DICM",), Message("It is a medical picture (DICOM). Save what it shows as PNG or TIFF.")),
    (0, (b"\x89HDF", b"SIMPLE  =", b"CDF\x01", b"CDF\x02", b"\x93NUMPY"), _SCIENTIFIC),
    (0, (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf\x27\x1c", b"Rar!"), _ARCHIVE),
    (
        0,
        (b"\0\x05\x16\x07",),
        Message("It is not the picture but what macOS keeps beside one (a file called ._…). Leave it out."),
    ),
    (
        0,
        (b"version https://git-lfs",),
        Message("It is only a pointer of Git LFS. Run git lfs pull to get the picture itself."),
    ),
)


def what_it_is(head: bytes) -> Message:
    """A sentence or two about a file that is in none of the formats that are read, and what to do about it.

    Args:
        head: its first `honshi.pictures.formats.HEAD` bytes, or all of it if there are fewer.
    """
    if not head:
        return Message("It is empty: nothing was written to it, or it was not fetched to its end. Get it again.")
    if not head.strip(b"\0"):
        return Message("It holds nothing but zeros, as after an interrupted copy. Get it again.")
    found = brands(head)
    if not found.isdisjoint(_HEIC):
        return Message(
            "It is a HEIC picture, as iPhones take them. Convert it to JPEG, or have the camera save JPEG (Settings, "
            "Camera, Formats, Most Compatible)."
        )
    if found:
        return _RAW if b"crx " in found else _VIDEO
    for start, beginnings, message in _BEGINNINGS:
        if head.startswith(beginnings, start):
            return message
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in text:
        return Message("It is a drawing (SVG), which has no pixels yet. Export it as PNG.")
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return Message("It is a web page, as a download that failed leaves it. Get the picture itself.")
    if re.fullmatch(rb"[\t\n\r -~]*", text):
        return Message("It is text and no picture. Get the picture itself.")
    return Message("Save it as PNG or JPEG.")


def of_a_tiff(picture: TiffImageFile) -> Message | None:
    """The same of what is a TIFF by its structure: what a camera's sensor saw, beside a preview that one would get."""
    tags = picture.tag_v2
    preview = bool(tags.get(_NEW_SUBFILE_TYPE, 0)) and _SUB_IFDS in tags
    return _RAW if preview or _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) in _FILTERS else None
