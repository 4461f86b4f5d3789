"""Files that are bad, odd or made to do harm, and what has to become of each.

    python -m tests.pictures.hostile FOLDER

reads each, and prints as JSON what became of it, in how many seconds and with how much memory.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms, TiffImagePlugin

Light = NDArray[np.uint8]
Make = Callable[[Path], object]

WIDTH, HEIGHT = 48, 36


def scene() -> Light:
    """Different everywhere, and so that no way of turning it looks the same, uint8 (36, 48, 3)."""
    rows, columns = np.mgrid[0 : 255 : HEIGHT * 1j, 0 : 255 : WIDTH * 1j]
    return np.stack([rows, columns, np.abs(rows - columns)], 2).astype(np.uint8)


@dataclass(frozen=True)
class Case:
    """A file and what has to become of it.

    Attributes:
        make: writes it, or whatever else a path may lead to.
        refused: a pattern of what is said; None where it is a picture.
        close: how far its pixels may be from the scene's, in the mean; None where it shows something else.
        channels: in which it is read.
        check: what else must be true of its pixels (h, w, c).
    """

    make: Make
    refused: str | None = None
    close: float | None = 0.0
    channels: int = 3
    check: Callable[[Light], bool] | None = None


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    content = BytesIO()
    picture.save(content, form, **options)
    return content.getvalue()


def bytes_of(content: bytes | Callable[[], bytes]) -> Make:
    """Writes so much; what is large is made only then."""
    return lambda path: path.write_bytes(content() if callable(content) else content)


def zeros_behind(content: bytes, count: int) -> Make:
    return bytes_of(lambda: content + bytes(count))


def called(change: Callable[[Path], Path], content: bytes) -> Make:
    """Written under another name."""
    return lambda path: change(path).write_bytes(content)


def link_to(target: str) -> Make:
    return lambda path: path.symlink_to(target)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colour: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def inserted(content: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks behind its header."""
    return content[:33] + b"".join(chunks) + content[33:]


def squeezed(rows: bytes, times: int) -> bytes:
    """The same bytes so many times, as zlib makes them, without ever holding all."""
    squeezer = zlib.compressobj(9)
    return b"".join(squeezer.compress(rows) for _ in range(times)) + squeezer.flush()


def tiff(tags: Mapping[int, int | tuple[int, int, int]], data: bytes = b"") -> bytes:
    """A TIFF of one page from its tags, whose data begin at byte 8: a number of 32 bits, or its type, count, value."""
    body = b"II*\0" + struct.pack("<I", 8 + len(data)) + data
    entries = [(tag, *(said if isinstance(said, tuple) else (4, 1, said))) for tag, said in sorted(tags.items())]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return body + struct.pack("<H", len(entries)) + directory + bytes(4)


def grey_tiff(width: int, height: int, rows: int, size: int, data: bytes, compression: int = 1) -> bytes:
    return tiff(
        {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: rows, 279: size},
        data,
    )


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def behind_start(content: bytes, *segments: bytes) -> bytes:
    """A JPEG with more segments behind its first two bytes."""
    return content[:2] + b"".join(segments) + content[2:]


def without_adobe(content: bytes) -> bytes:
    """A JPEG without the segment by which Adobe marks that inks are stored as light."""
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4], "big") :]


def oriented(number: int) -> tuple[Image.Image, Image.Exif]:
    """The scene as a camera that was held so has stored it, which has to be turned to be upright."""
    ways = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
    ways |= {6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}  # the opposite of how it has to be turned
    picture = Image.fromarray(scene())
    if number in ways:
        picture = picture.transpose(Image.Transpose[ways[number]])
    exif = Image.Exif()
    exif[0x0112] = number
    return picture, exif


def saved(form: str) -> bytes:
    """The scene in a format, by a name of our own for it and its way of saving."""
    picture = Image.fromarray(scene())
    name, _, way = form.partition(" ")
    ways: dict[str, dict[str, Any]] = {
        "progressive": {"progressive": True, "quality": 95},
        "lossless": {"lossless": True},
        "lzw": {"compression": "tiff_lzw"},
        "deflate": {"compression": "tiff_adobe_deflate"},
        "jpeg": {"compression": "jpeg"},
    }
    if form == "PNG interlaced":
        return interlaced()
    if form == "PPM text":
        return b"P3\n# a comment\n48 36\n255\n" + " ".join(map(str, scene().ravel())).encode() + b"\n"
    if form == "PPM 16":
        return b"P6\n48 36\n65535\n" + (scene().astype(">u2") * 257).tobytes()
    if name == "GIF":
        picture = picture.quantize(256)
    if name == "JPEG" and not way:
        return encoded(picture, name, quality=95)
    return encoded(picture, name, **ways.get(way, {}))


def interlaced() -> bytes:
    """The scene as an interlaced PNG (Adam7), which Pillow does not write."""
    rows = b""
    for top, left, down, right in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)):
        rows += b"".join(b"\0" + row.tobytes() for row in scene()[top::down, left::right])
    rows += b"".join(b"\0" + row.tobytes() for row in scene()[1::2])
    content = png(WIDTH, HEIGHT, 8, 2, chunk(b"IDAT", zlib.compress(rows)))
    header = chunk(b"IHDR", content[16:28] + b"\1")
    return content[:8] + header + content[33:]


# How far the scene may be from itself in each way of saving it.
FORMS = {
    "PNG": 0.0,
    "PNG interlaced": 0.0,
    "JPEG": 3.0,
    "JPEG progressive": 3.0,
    "GIF": 12.0,
    "BMP": 0.0,
    "WEBP": 6.0,
    "WEBP lossless": 0.0,
    "TIFF": 0.0,
    "TIFF lzw": 0.0,
    "TIFF deflate": 0.0,
    "TIFF jpeg": 8.0,
    "PPM": 0.0,
    "PPM text": 0.0,
    "PPM 16": 0.0,
    "AVIF": 6.0,
    "JPEG2000": 1.0,
}


def cases() -> dict[str, Case]:
    """All of them, by name."""
    found: dict[str, Case] = {}
    for part in (whole, cut, no_pictures, jpegs, pngs, tiffs, others, modes, places, names):
        for name, case in part():
            assert name not in found, name
            found[name] = case
    return found


def whole() -> Iterator[tuple[str, Case]]:
    for form, close in FORMS.items():
        yield f"{form} as it should be", Case(bytes_of(saved(form)), close=close)
        as_text = called(lambda path: path.with_suffix(".txt"), saved(form))
        yield f"{form} called .txt", Case(as_text, close=close)
    for number in range(1, 9):
        for form, close in (("JPEG", 12.0), ("PNG", 0.0), ("TIFF", 0.0), ("WEBP", 12.0), ("AVIF", 12.0)):
            picture, exif = oriented(number)
            yield f"{form} of orientation {number}", Case(bytes_of(encoded(picture, form, exif=exif)), close=close)


def cut() -> Iterator[tuple[str, Case]]:
    for form in FORMS:
        content = saved(form)
        for tenth in range(1, 10):
            yield f"{form} cut at {tenth}0 %", Case(bytes_of(content[: len(content) * tenth // 10]), r"\.")
    without_end = saved("PNG")[:-12]
    yield "PNG of which only the end chunk is missing", Case(bytes_of(without_end))
    yield "JPEG of which only the end marker is missing", Case(bytes_of(saved("JPEG")[:-2]), r"truncated|not whole")


def no_pictures() -> Iterator[tuple[str, Case]]:
    again = r"Get it again|Get the picture"
    for name, content, refused in (
        ("nothing", b"", "It is empty: .*" + again),
        ("zeros", bytes(5000), "nothing but zeros"),
        ("a web page called .jpg", b"<!DOCTYPE html>\n<html><body>404</body></html>", "It is a web page"),
        ("a page of XML", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "It is text"),
        ("an answer in JSON", b'{"error": "not found"}', "It is text"),
        ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("what macOS keeps beside files", b"\0\x05\x16\x07\0\x02\0\0Mac OS X", "Leave it out"),
        ("a drawing", b'<svg xmlns="http://www.w3.org/2000/svg"/>', r"SVG.*Export it as PNG"),
        ("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF.*Export"),
        ("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "PostScript.*runs none"),
        ("PostScript with a preview", b"\xc5\xd0\xd3\xc6" + bytes(26) + b"%!PS", "PostScript"),
        ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC.*Convert it to JPEG"),
        ("HEIF by its general name", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC.*Convert it to JPEG"),
        ("a video", b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "It is a video"),
        ("RAW of Canon", b"II*\0\x10\0\0\0CR\x02\0" + bytes(200), "RAW.*Develop"),
        ("RAW of Canon, newer", b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "RAW.*Develop"),
        ("RAW of Fujifilm", b"FUJIFILMCCD-RAW 0201", "RAW.*Develop"),
        ("a Photoshop document", b"8BPS\0\x01" + bytes(20), "Photoshop.*Export"),
        ("an icon", b"\0\0\1\0\1\0\x10\x10" + bytes(50), "icon.*Save the largest"),
        ("JPEG XL", b"\xff\x0a\xfa\x7f\1", "JPEG XL.*Convert"),
        ("a zip", b"PK\x03\x04" + bytes(50), "archive.*Unpack"),
        ("an array", b"\x93NUMPY\1\0v\0", "scientific data"),
        ("a pickle", b"\x80\x04\x95\x0b\0\0\0", "Save it as PNG or JPEG"),
        ("noise", np.random.default_rng(0).bytes(5000), "Save it as PNG or JPEG"),
    ):
        yield name, Case(bytes_of(content), refused)
    preview: dict[int, int | tuple[int, int, int]] = {
        254: 1,
        256: 4,
        257: 4,
        258: 8,
        259: 1,
        262: 1,
        273: 8,
        277: 1,
        278: 4,
        279: 16,
    }
    yield "RAW of Adobe (DNG)", Case(bytes_of(tiff(preview | {50706: (1, 4, 0x0401)}, bytes(16))), "RAW.*Develop")
    yield "RAW of Nikon (NEF)", Case(bytes_of(tiff(preview | {330: 8}, bytes(16))), "RAW.*Develop")
    for form, start in (
        ("PNG", b"\x89PNG\r\n\x1a\n"),
        ("JPEG", b"\xff\xd8\xff"),
        ("GIF", b"GIF89a"),
        ("TIFF", b"II*\0"),
    ):
        yield f"only how a {form} begins", Case(bytes_of(start), "damaged or not whole")
        yield f"how a {form} begins, and zeros", Case(zeros_behind(start, 50_000_000), r"damaged|far more than")


def jpegs() -> Iterator[tuple[str, Case]]:
    content = saved("JPEG")
    for name, behind in (("zeros", bytes(5000)), ("a video", b"\0\0\0\x18ftypmp42" + bytes(9000)), ("text", b"hello")):
        yield f"JPEG with {name} behind its end", Case(bytes_of(content + behind), close=3)
    yield "JPEG twice", Case(bytes_of(content + content), close=3)
    exif = b"Exif\0\0"
    for name, said in (
        ("of noise", exif + np.random.default_rng(1).bytes(300)),
        ("cut off", exif + b"II*\0\x08\0\0\0\x01\0"),
        ("that leads round", exif + b"II*\0\x08\0\0\0\0\0\x08\0\0\0"),
        ("of an orientation that is none", exif + b"II*\0\x08\0\0\0\x01\0\x12\1\x03\0\1\0\0\0\x63\0\0\0" + bytes(4)),
        ("of an orientation in words", exif + b"II*\0\x08\0\0\0\x01\0\x12\1\x02\0\4\0\0\0six\0" + bytes(4)),
        ("of a billion values", exif + b"II*\0\x08\0\0\0\x01\0\x12\1\x03\0\0\0\0\x40\x08\0\0\0" + bytes(4)),
    ):
        yield f"JPEG with EXIF {name}", Case(bytes_of(behind_start(content, segment(0xE1, said))), close=3)
    colours = b"ICC_PROFILE\0\1\1"
    yield (
        "JPEG with a profile of noise",
        Case(bytes_of(behind_start(content, segment(0xE2, colours + bytes(99)))), close=3),
    )
    yield (
        "JPEG with a profile whose parts are missing",
        Case(bytes_of(behind_start(content, segment(0xE2, b"ICC_PROFILE\0\2\7" + bytes(99)))), close=3),
    )
    yield (
        "JPEG with 60 MB of comments",
        Case(bytes_of(lambda: behind_start(content, *[segment(0xFE, bytes(65533))] * 960)), close=3),
    )
    yield (
        "JPEG of a million empty segments",
        Case(bytes_of(lambda: behind_start(content, segment(0xE5, b"") * 1_000_000)), "far more than its pixels need"),
    )
    yield (
        "JPEG of 65,500 x 65,500",
        Case(
            bytes_of(
                re.sub(rb"\xff\xc0\0\x11\x08....", b"\xff\xc0\0\x11\x08\xff\xdc\xff\xdc", content, flags=re.DOTALL)
            ),
            r"more than 50,000,000 pixels\. Scale it down",
        ),
    )
    yield (
        "JPEG whose tables are gone",
        Case(bytes_of(content.replace(b"\xff\xdb", b"\xff\xe9")), "damaged or not whole"),
    )
    yield (
        "JPEG of CMYK as Adobe writes it",
        Case(bytes_of(encoded(Image.fromarray(scene()).convert("CMYK"), "JPEG", quality=95)), close=4),
    )
    yield (
        "JPEG of CMYK as others write it",
        Case(
            bytes_of(
                without_adobe(encoded(ImageChops.invert(Image.fromarray(scene()).convert("CMYK")), "JPEG", quality=95))
            ),
            close=4,
        ),
    )
    grey = encoded(Image.fromarray(scene()[..., 0]), "JPEG", quality=95)
    yield (
        "JPEG in grey, read in colour",
        Case(bytes_of(grey), close=None, check=lambda seen: bool(abs(seen - scene()[..., :1].astype(int)).mean() < 2)),
    )
    frames = [Image.fromarray(scene()), Image.new("RGB", (WIDTH, HEIGHT))]
    yield (
        "MPO of two pictures",
        Case(bytes_of(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:], quality=95)), close=3),
    )


def pngs() -> Iterator[tuple[str, Case]]:
    content = saved("PNG")
    yield (
        "PNG of 50,000 x 50,000 and nothing in it",
        Case(bytes_of(png(50_000, 50_000, 8, 2, chunk(b"IDAT", zlib.compress(b"")))), "more than 50,000,000 pixels"),
    )
    yield (
        "PNG of 169 megapixels of 1 bit",
        Case(
            bytes_of(lambda: png(13_000, 13_000, 1, 0, chunk(b"IDAT", squeezed(b"\0" + b"\xff" * 1625, 13_000)))),
            close=None,
            check=lambda seen: bool((seen == 255).all()),
        ),
    )
    yield (
        "PNG of 49 megapixels of one colour",
        Case(
            bytes_of(lambda: png(7_000, 7_000, 8, 2, chunk(b"IDAT", squeezed(b"\0" + b"\x09" * 21_000, 7_000)))),
            close=None,
            check=lambda seen: bool((seen == 9).all()),
        ),
    )
    bomb = squeezed(bytes(1_000_000), 80)
    for name, made in (
        ("text", chunk(b"zTXt", b"note\0\0" + bomb)),
        ("translated text", chunk(b"iTXt", b"note\0\1\0\0\0" + bomb)),
        ("a colour profile", chunk(b"iCCP", b"profile\0\0" + bomb)),
    ):
        yield f"PNG with 80 MB squeezed into {name}", Case(bytes_of(inserted(content, made)), "damaged or not whole")
    many = chunk(b"zTXt", b"note\0\0" + squeezed(bytes(1_000_000), 1))
    yield "PNG with 200 texts of a megabyte", Case(bytes_of(inserted(content, many * 200)), "damaged or not whole")
    yield (
        "PNG with a profile of noise",
        Case(bytes_of(inserted(content, chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(range(256))))))),
    )
    yield (
        "PNG with EXIF of noise",
        Case(bytes_of(inserted(content, chunk(b"eXIf", np.random.default_rng(2).bytes(99))))),
    )
    yield (
        "PNG of a million empty chunks",
        Case(bytes_of(lambda: inserted(content, chunk(b"teSt", b"") * 1_000_000)), "far more than its pixels need"),
    )
    yield (
        "PNG with a chunk of 100 MB before its pixels",
        Case(bytes_of(lambda: inserted(content, chunk(b"teSt", bytes(100_000_000)))), "far more than its pixels need"),
    )
    yield (
        "PNG with a chunk of 100 MB behind its pixels",
        Case(
            bytes_of(lambda: content[:-12] + chunk(b"teSt", bytes(100_000_000)) + content[-12:]),
        ),
    )
    yield (
        "PNG with a chunk of 2 GB that is not there",
        Case(bytes_of(content[:33] + b"\x7f\xff\xff\xfftEXt" + content[33:]), "damaged or not whole|far more"),
    )
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in scene()[..., :1])))
    palette = bytes(range(64)) * 3
    yield (
        "PNG whose palette lacks colours that it uses",
        Case(bytes_of(png(WIDTH, HEIGHT, 8, 3, chunk(b"PLTE", palette), pixels)), close=None),
    )
    yield "PNG whose palette is missing", Case(bytes_of(png(WIDTH, HEIGHT, 8, 3, pixels)), "palette")
    yield (
        "PNG that ends amid its pixels",
        Case(bytes_of(png(WIDTH, HEIGHT, 8, 2, chunk(b"IDAT", zlib.compress(b"\0" * 500)))), "damaged or not whole"),
    )
    broken = bytearray(content)
    broken[len(content) // 2] ^= 0xFF
    yield (
        "PNG that is verified in vain: a byte of its pixels is wrong",
        Case(bytes_of(bytes(broken)), "damaged or not whole"),
    )
    yield "PNG of no width", Case(bytes_of(png(0, 9, 8, 0)), r"\.")
    yield "PNG of 3 bits", Case(bytes_of(png(9, 9, 3, 0)), r"\.")
    frames = [Image.fromarray(scene()), Image.new("RGB", (WIDTH, HEIGHT))]
    yield "APNG", Case(bytes_of(encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])))
    deep = (scene().astype(np.uint16) * 257).astype(">u2")
    clear = np.concatenate([deep, np.zeros((HEIGHT, WIDTH, 1), ">u2")], 2)
    yield (
        "PNG of 16 bits and all transparent",
        Case(
            bytes_of(
                png(
                    WIDTH,
                    HEIGHT,
                    16,
                    6,
                    chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in clear))),
                )
            ),
            close=None,
            check=lambda seen: bool((seen == 255).all()),
        ),
    )
    yield (
        "PNG of 16 bits in colour",
        Case(
            bytes_of(
                png(
                    WIDTH, HEIGHT, 16, 2, chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in deep)))
                )
            )
        ),
    )
    one = deep[..., 0]
    yield (
        "PNG of 16 bits of which one value is transparent",
        Case(
            bytes_of(
                png(
                    WIDTH,
                    HEIGHT,
                    16,
                    0,
                    chunk(b"tRNS", one[5, :1].tobytes()),
                    chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in one))),
                )
            ),
            close=None,
            channels=1,
            check=lambda seen: bool((seen[5] == 255).all() and (seen[6, :, 0] == scene()[6, :, 0]).all()),
        ),
    )


def tiffs() -> Iterator[tuple[str, Case]]:
    for name, value in (
        ("NaN", np.nan),
        ("infinity", np.inf),
        ("values below black", -0.5),
        ("values above white", 1.5),
    ):
        values = np.full((HEIGHT, WIDTH), 0.5, np.float32)
        values[3, 4] = value
        yield (
            f"TIFF with {name}",
            Case(bytes_of(encoded(Image.fromarray(values), "TIFF")), "0 for black and 1 for white"),
        )
    halves = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    yield (
        "TIFF of floating-point numbers",
        Case(
            bytes_of(encoded(Image.fromarray(halves), "TIFF")),
            close=None,
            channels=1,
            check=lambda seen: bool((seen[..., 0] == np.rint(halves * 255)).all()),
        ),
    )
    yield (
        "TIFF of negative integers",
        Case(bytes_of(encoded(Image.fromarray(np.full((9, 9), -5, np.int32)), "TIFF")), "values from -5 to -5"),
    )
    yield (
        "TIFF of 60,000 x 60,000",
        Case(bytes_of(grey_tiff(60_000, 60_000, 60_000, 9, bytes(9))), "more than 175,000,000"),
    )
    for name, compression in (("", 1), (" of LZW", 5), (" of zlib", 8), (" of JPEG", 7), (" of packed bits", 32773)):
        yield (
            f"TIFF with a strip{name} of 4 GB that is not there",
            Case(
                bytes_of(grey_tiff(100, 100, 100, 0xFFFFFFF0, bytes(16), compression)), r"damaged or not whole|far more"
            ),
        )
    yield (
        "TIFF with a strip of 100 MB, squeezed",
        Case(
            bytes_of(grey_tiff(16, 16, 16, len(bomb := squeezed(bytes(1_000_000), 100)), bomb, 8)),
            close=None,
            channels=1,
        ),
    )
    small: dict[int, int | tuple[int, int, int]] = {256: 9, 257: 9, 258: 8, 262: 1, 273: 8}
    yield (
        "TIFF with a tag of 500 million values",
        Case(bytes_of(tiff(small | {273: (4, 500_000_000, 8)}, bytes(99))), r"\."),
    )
    yield (
        "TIFF whose width has 60 million values",
        Case(bytes_of(lambda: tiff(small | {256: (1, 60_000_000, 8)}, bytes(60_000_000))), r"\."),
    )
    yield "TIFF without tags", Case(bytes_of(tiff({})), r"\.")
    around = bytearray(grey_tiff(4, 4, 4, 16, bytes(range(16))))
    around[-4:] = struct.pack("<I", 24)  # the next page is the first one
    yield "TIFF whose pages lead round", Case(bytes_of(bytes(around)), close=None, channels=1)
    yield (
        "TIFF of two pages",
        Case(
            bytes_of(encoded(Image.fromarray(scene()), "TIFF", save_all=True, append_images=[Image.new("L", (9, 9))]))
        ),
    )
    sub = TiffImagePlugin.ImageFileDirectory_v2()
    sub[34665] = 4_000_000_000  # where EXIF would be
    yield "TIFF whose EXIF lies beyond its end", Case(bytes_of(encoded(Image.fromarray(scene()), "TIFF", tiffinfo=sub)))


def others() -> Iterator[tuple[str, Case]]:
    wide = b"GIF89a\x09\0\x09\0\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0;"
    yield "GIF whose frame is larger than its screen", Case(bytes_of(wide), "more than 50,000,000 pixels")
    yield (
        "GIF of 65,535 x 65,535",
        Case(bytes_of(wide[:6] + b"\xff\xff\xff\xff" + wide[10:]), "more than 175,000,000 pixels"),
    )
    first = Image.fromarray(scene()).quantize(256)
    yield (
        "GIF of two frames",
        Case(bytes_of(encoded(first, "GIF", save_all=True, append_images=[Image.new("P", first.size)])), close=12),
    )
    yield (
        "GIF with 20 MB of comments",
        Case(
            bytes_of(
                saved("GIF")[:13]
                + (saved("GIF")[13:781])
                + b"!\xfe"
                + (b"\xff" + bytes(255)) * 80_000
                + b"\0"
                + saved("GIF")[781:]
            ),
            close=12,
        ),
    )
    yield (
        "GIF of zeros behind its header",
        Case(bytes_of(lambda: b"GIF89a\x09\0\x09\0\0\0\0" + bytes(3_000_000)), r"far more|damaged"),
    )
    yield (
        "WEBP of 16,383 x 16,383",
        Case(bytes_of(b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xfe\x3f\0\xfe\x3f\0"), r"more than|damaged"),
    )
    frames = [Image.fromarray(scene()), Image.new("RGB", (WIDTH, HEIGHT))]
    for form in ("WEBP", "AVIF"):
        yield (
            f"{form}, animated",
            Case(bytes_of(encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)), close=8),
        )
        yield f"{form} with 100 MB behind its end", Case(zeros_behind(saved(form), 100_000_000), "far more than")
    yield (
        "BMP of 40,000 x 40,000",
        Case(
            bytes_of(
                b"BM" + bytes(8) + struct.pack("<IIiiHHIIiiII", 54, 40, 40_000, 40_000, 1, 24, 0, 0, 0, 0, 0, 0)[0:]
            ),
            "more than 50,000,000",
        ),
    )
    yield (
        "BMP of negative width",
        Case(
            bytes_of(
                b"BM" + bytes(8) + struct.pack("<IIiiHHIIiiII", 54, 40, -4, 4, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(64)
            ),
            r"\.",
        ),
    )
    yield "PGM of 99,999 x 99,999", Case(bytes_of(b"P5 99999 99999 255\n"), "more than 175,000,000")
    yield "PGM of 5,000 x 5,000 in text", Case(bytes_of(b"P2 5000 5000 255\n"), "more than 15,000,000")
    yield (
        "PGM of 3 megapixels in text",
        Case(
            bytes_of(lambda: b"P2 2000 1500 255\n" + b"200 " * 3_000_000),
            close=None,
            check=lambda seen: bool((seen == 200).all()),
        ),
    )
    yield (
        "PGM of 12 bits and 12 megapixels",
        Case(
            bytes_of(lambda: b"P5 4000 3000 4095\n" + b"\x07\xff" * 12_000_000),
            close=None,
            channels=1,
            check=lambda seen: bool(abs(seen.astype(int) - 127).max() <= 1),
        ),
    )
    yield "PGM with a value above its white", Case(bytes_of(b"P2 2 1 100\n 50 101\n"), "larger than 100")
    yield "PGM with words in it", Case(bytes_of(b"P2 2 1 100\n 50 ten\n"), "damaged or not whole")
    yield (
        "PBM in text",
        Case(
            bytes_of(b"P1 4 1\n# comment\n0 1\n10\n"),
            close=None,
            check=lambda seen: bool(seen.max() == 255 and seen.min() == 0),
        ),
    )


def modes() -> Iterator[tuple[str, Case]]:
    """Pictures in each of Pillow's modes, white or transparent on the left and dark on the right."""
    light = np.full((HEIGHT, WIDTH), 255, np.uint8)
    light[:, WIDTH // 2 :] = 20
    clear = np.where(light == 255, 0, 255).astype(np.uint8)
    grey, alpha = Image.fromarray(light), Image.fromarray(clear)
    hidden = Image.new("L", grey.size, 20)  # what lies below what is transparent is dark too

    def halves(seen: Light) -> bool:
        return bool(seen[:, : WIDTH // 2 - 1].min() >= 250 and seen[:, WIDTH // 2 + 1 :].max() <= 25)

    with_palette = Image.merge("PA", (hidden, alpha))
    with_palette.putpalette([value for value in range(256) for _ in "RGB"])
    made: dict[str, bytes] = {
        "1": encoded(grey.point(lambda value: 255 * (value > 99), "1"), "PNG"),
        "L": encoded(grey, "PNG"),
        "LA": encoded(Image.merge("LA", (hidden, alpha)), "PNG"),
        "P": encoded(grey.convert("P"), "PNG"),
        "PA": encoded(with_palette, "TIFF"),
        "RGB": encoded(grey.convert("RGB"), "PNG"),
        "RGBA": encoded(Image.merge("RGBA", (hidden, hidden, hidden, alpha)), "PNG"),
        "CMYK": encoded(grey.convert("RGB").convert("CMYK"), "TIFF"),
        "YCbCr": encoded(grey.convert("RGB").convert("YCbCr"), "TIFF"),
        "I": encoded(Image.fromarray(light.astype(np.int32) * 257), "TIFF"),
        "I;16": encoded(Image.fromarray(light.astype(np.uint16) * 257), "PNG"),
        "I;16B": encoded(Image.frombytes("I;16B", grey.size, (light.astype(">u2") * 257).tobytes()), "TIFF"),
        "F": encoded(Image.fromarray(light.astype(np.float32) / 255), "TIFF"),
    }
    lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    white = ImageCms.applyTransform(grey.convert("RGB"), lab)
    assert white is not None
    made["LAB"] = encoded(white, "TIFF")
    picture = Image.new("P", grey.size, 0)
    picture.putpalette([20, 20, 20, 20, 20, 20])
    picture.paste(1, (WIDTH // 2, 0, WIDTH, HEIGHT))
    made["P with a transparent colour"] = encoded(picture, "GIF", transparency=0)
    made["P with an alpha for each colour"] = encoded(picture, "PNG", transparency=bytes([0, 255]))
    made["L with a transparent value"] = encoded(
        Image.fromarray(np.where(light == 255, 3, light)), "PNG", transparency=3
    )
    dark = np.dstack([np.where(light == 255, 0, 20).astype(np.uint8)] * 3 + [clear])
    stored: dict[int, int | tuple[int, int, int]] = {
        256: WIDTH,
        257: HEIGHT,
        259: 1,
        278: HEIGHT,
        338: (3, 1, 1),
    }  # alpha that was multiplied in
    made["RGBa"] = tiff(
        stored | {258: (3, 4, 8), 262: 2, 273: 16, 277: 4, 279: dark.nbytes},
        struct.pack("<4H", 8, 8, 8, 8) + dark.tobytes(),
    )
    faint = np.dstack([dark[..., 0], clear])
    made["La"] = tiff(stored | {258: (3, 2, 8 | 8 << 16), 262: 1, 273: 8, 277: 2, 279: faint.nbytes}, faint.tobytes())
    for mode, content in made.items():
        for channels in (1, 3):
            yield f"mode {mode} in {channels}", Case(bytes_of(content), close=None, channels=channels, check=halves)


def places() -> Iterator[tuple[str, Case]]:
    """What is no file of one's own, or none at all."""

    def linked(path: Path) -> None:
        path.with_suffix(".real").write_bytes(saved("PNG"))
        path.symlink_to(path.with_suffix(".real").name)

    def locked(path: Path) -> None:
        path.write_bytes(saved("PNG"))
        path.chmod(0)

    yield "a folder called x.png", Case(lambda path: path.mkdir(), "it is a folder")
    yield "nothing there", Case(lambda path: None, "there is no such file")
    yield "a link to nowhere", Case(link_to("gone.png"), "there is no such file")
    yield "a link to itself", Case(lambda path: path.symlink_to(path.name), r"cannot be read: .*(links|loop)")
    yield "a link to a picture", Case(linked)
    if hasattr(os, "mkfifo"):
        yield "a pipe", Case(lambda path: os.mkfifo(path), "a pipe or a device")
        for device in ("zero", "random", "tty", "null"):
            yield f"the device {device}", Case(link_to(f"/dev/{device}"), "a pipe or a device")
    if hasattr(os, "geteuid") and os.geteuid() != 0:  # who may read everything
        yield "a file without permission", Case(locked, "Permission denied")


def names() -> Iterator[tuple[str, Case]]:
    for name, start in (("a line break", "a\nb"), ("an escape", "a\x1b[2Jb"), ("bytes that are no text", "a\udcffb")):
        for what, content, refused in (("picture", saved("PNG"), None), ("file of text", b"no", "It is text")):
            yield f"a {what} with {name} in its name", Case(called(behind(start), content), refused)


def behind(start: str) -> Callable[[Path], Path]:
    return lambda path: path.with_name(start + path.name)


def file_of(folder: Path) -> Path:
    """The file that a case has made in a folder of its own, or would have made."""
    made = [path for path in folder.iterdir() if path.suffix != ".real"]
    return made[0] if made else folder / "x.png"


def outcome(case: Case, path: Path) -> dict[str, Any]:
    """What becomes of a case: ``said``, or ``pixels`` as a list."""
    from honshi.errors import HonshiError
    from honshi.pictures import InputContract, Normalization
    from honshi.pictures.prepare import prepare
    from honshi.pictures.probe import probe

    contract = InputContract(shape=(case.channels, HEIGHT, WIDTH), normalization=Normalization(mean=(0.5,), std=(0.5,)))
    with suppress(HonshiError):  # what cannot be read is told by the next
        probe(path)
    try:
        return {"pixels": prepare(path, contract).permute(1, 2, 0).tolist()}
    except HonshiError as error:
        return {"said": str(error)}


def peak() -> float:
    """The most memory, in megabytes, since `forget_peak`, or since the process began where that is not possible."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024  # type: ignore[index]
    except (OSError, TypeError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def main(folder: Path) -> None:
    """One after the other; one that takes ten seconds ends the process, and is the last that was named."""
    import honshi.pictures.prepare
    import honshi.pictures.probe  # noqa: F401  # loaded before any clock runs

    results = {}
    for number, (name, case) in enumerate(cases().items()):
        print(name, file=sys.stderr)
        room = folder / str(number)
        room.mkdir()
        case.make(room / "x.png")
        forget_peak()
        signal.alarm(10)
        start = time.perf_counter()
        results[name] = outcome(case, file_of(room)) | {"seconds": time.perf_counter() - start, "megabytes": peak()}
    signal.alarm(0)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
