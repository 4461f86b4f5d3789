"""What lies where: a folder for each data set, shape and part, with a header, pixels, and what is known of pictures.

    stores/<data set>/<form>-<part>/lock
                                    store.json           the header; whoever replaces it has changed the store
                                    pictures-….npz       names, labels, stamps, contents, digests, rows
                                    pixels-….u8          uint8 (n, c, h, w), and nothing else
                                    skipped.json         what could not be read, and why
                                    build/               unfinished (`build`)

Pixels are kept apart from labels and names, so that another label costs no decoding. All but the header is named by
what is in it; a reader that has opened the header finds the very files that belong to it, or none.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from honshi.data.store.form import Form
from honshi.files import home, read_bounded, sha256, write_json, write_whole
from honshi.messages import Message

VERSION = 1
HEADER, SKIPPED, LOCK, BUILD = "store.json", "skipped.json", "lock", "build"
# A header; a class has a name, and there may be thousands.
MOST_BYTES = 1 << 26
# Bytes of a SHA-256.
HASH = 32
# The grain of the clock by which some file systems say when a file was changed (FAT).
YOUNG_NS = 2_000_000_000


def stores() -> Path:
    """Where all stores lie."""
    return home() / "stores"


def folder_of(name: str) -> Path:
    """Where the stores of a data set lie, by what ``--data`` calls it from everywhere."""
    return stores() / sha256(os.fsencode(name))[:16]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """What is known of each of n pictures of a listing.

    Attributes:
        names: as the listing calls them.
        stamps: int64 (n, 2), of the listing.
        unsure: bool (n,): the file was so young that a change may not show in its stamp.
        contents: uint8 (n, 32), SHA-256 of what the picture was before it was brought to a size.
        rows: int64 (n,), where its pixels are; -1 where it could not be read.
        digests: uint8 (n, 32), SHA-256 of its pixels.
        labels: int32 (n,), places in `classes`.
        classes: their names.
    """

    names: Sequence[str]
    stamps: NDArray[np.int64]
    unsure: NDArray[np.bool_]
    contents: NDArray[np.uint8]
    rows: NDArray[np.int64]
    digests: NDArray[np.uint8]
    labels: NDArray[np.int32]
    classes: tuple[str, ...]

    def packed(self) -> bytes:
        """All but the classes, which the header holds."""
        file = io.BytesIO()
        np.savez(
            file,
            names=np.frombuffer(joined(self.names), np.uint8),
            stamps=self.stamps,
            unsure=self.unsure,
            contents=self.contents,
            rows=self.rows,
            digests=self.digests,
            labels=self.labels,
        )
        return file.getvalue()

    @classmethod
    def unpacked(cls, path: Path, classes: tuple[str, ...]) -> Pictures:
        """
        Raises:
            OSError, ValueError: it cannot be read, or is not what `packed` gave.
        """
        with np.load(path, allow_pickle=False) as arrays:
            names = bytes(arrays["names"]).decode("utf-8", "surrogatepass").split("\0") if len(arrays["rows"]) else []
            return cls(names=names, classes=classes, **{name: arrays[name] for name in arrays.files if name != "names"})


def joined(names: Sequence[str]) -> bytes:
    """Names one after another; no file's name has a zero in it."""
    return "\0".join(names).encode("utf-8", "surrogatepass")


def young(stamps: NDArray[np.int64], at_ns: int) -> NDArray[np.bool_]:
    """Whose files were changed so shortly before a time that another change may not show in their stamps, (n,)."""
    recent: NDArray[np.bool_] = stamps[:, 1] > at_ns - YOUNG_NS
    return recent


def pixels_name(contents: NDArray[np.uint8]) -> str:
    """The name of the file of pixels of these pictures, of contents (n, 32)."""
    return f"pixels-{sha256(np.ascontiguousarray(contents).data)[:16]}.u8"


@dataclass(frozen=True, kw_only=True, eq=False)
class Store:
    """A finished store as it lies in its folder.

    Attributes:
        folder: of the store.
        header: ``store.json``.
        pictures: what is known of each.
    """

    folder: Path
    header: dict[str, Any]
    pictures: Pictures

    @property
    def pixels(self) -> Path:
        """uint8, as many rows as pictures were there, each (c, h, w)."""
        return self.folder / str(self.header["pixels"])

    @property
    def form(self) -> Form:
        return Form.from_dict(self.header["form"])

    def skipped(self) -> list[tuple[str, Message]]:
        """What could not be read, and why."""
        try:
            found = json.loads(read_bounded(self.folder / SKIPPED, None))
            return [(name, Message(sentence, **parameters)) for name, sentence, parameters in found]
        except (OSError, ValueError, TypeError):
            return []

    def note_use(self) -> None:
        """Have it known when the store was used last, by its header's time of access."""
        with suppress(OSError):
            path = self.folder / HEADER
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def read_header(folder: Path) -> dict[str, Any] | None:
    """A store's header; None where there is no finished store of this version."""
    try:
        header = json.loads(read_bounded(folder / HEADER, MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) and header.get("version") == VERSION else None


def open_store(folder: Path) -> Store | None:
    """The finished store in a folder; None where there is none, or it is damaged, which is mended by reading anew."""
    for _ in range(3):  # another process may put a new one in its place between two looks
        header = read_header(folder)
        if header is None:
            return None
        try:
            store = Store(
                folder=folder,
                header=header,
                pictures=Pictures.unpacked(folder / header["pictures"], tuple(header["classes"])),
            )
            rows = store.pictures.rows
            if store.pixels.stat().st_size == int(header["rows"]) * store.form.bytes and rows.max(initial=-1) < int(
                header["rows"]
            ):
                return store
        except (OSError, ValueError, TypeError, KeyError, EOFError):
            pass
    return None


def write_store(
    folder: Path,
    *,
    name: str,
    title: str,
    form: Form,
    pictures: Pictures,
    pixels: str,
    rows: int,
    skipped: Sequence[tuple[str, Message]],
) -> Store:
    """Finish a store whose file of pixels is there, and remove what it was before.

    Raises:
        WriteError: it cannot be written; what was there is there still.
    """
    content = pictures.packed()
    packed = f"pictures-{sha256(content)[:16]}.npz"
    header = {
        "version": VERSION,
        "data": name,
        "title": title,
        "form": form.to_dict(),
        "shape": [int((pictures.rows >= 0).sum()), *form.shape],
        "rows": rows,
        "skipped": len(skipped),
        "pixels": pixels,
        "pictures": packed,
        "classes": list(pictures.classes),
        "names_sha256": sha256(joined(pictures.names)),
    }
    write_whole(folder / packed, content)
    write_json(folder / SKIPPED, [(at, reason.sentence, reason.parameters) for at, reason in skipped])
    write_json(folder / HEADER, header)
    for path in folder.iterdir():
        if path.name.startswith(("pixels-", "pictures-")) and path.name not in (pixels, packed):
            remove(path)
    return Store(folder=folder, header=header, pictures=pictures)


def remove(path: Path) -> None:
    """Remove a file where the system lets it go; one that another process maps stays, on some."""
    with suppress(OSError):
        path.unlink()
