"""What lies in a zip or tar archive, as if it were a folder; nothing of it is unpacked beside the user's files.

A tar that is compressed can only be read from its beginning. Its content is written once into honshi's data folder as a
tar that is not, and read from there (`honshi cache` lists it).
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import zipfile
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from honshi.data.listing import Opener, Skipped
from honshi.data.packed import DAMAGED
from honshi.data.sources.tree import Tree
from honshi.errors import DataRefusedError, ImageError
from honshi.files import explain, home, make_folder, sha256, write_whole, writing
from honshi.messages import Message
from honshi.pictures.folders import Folder, is_left_by_system
from honshi.pictures.formats import HEAD, format_of

ZIP, TAR = b"PK\x03\x04", b"ustar"
EMPTY_ZIP = b"PK\x05\x06"
# Bytes of one file; no picture or table that is read has more.
MOST_BYTES = 1 << 28
# How often the bytes of a compressed tar its content may have: a picture's format leaves little to compress.
MOST_RATIO, ALWAYS_BYTES = 100, 1 << 26
PIECE = 1 << 20

# How a compressed tar begins, and what reads it.
PACKED: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}

OUTSIDE = Message("its name leads out of the archive")
ENCRYPTED = Message("it is encrypted")
LARGE = Message("it has more bytes than any picture")
LINK = Message("it is a link, a pipe or a device")
TWICE = Message("the archive holds another file of this name")


@dataclass(frozen=True)
class Entry:
    """A file in an archive.

    Attributes:
        name: from the root with "/".
        size: in bytes.
        at: where it lies: a place among a zip's files, or the first of its bytes in a tar.
    """

    name: str
    size: int
    at: int


def open_archive(path: Path) -> ArchiveTree | None:
    """The files of an archive; None where it is none.

    Raises:
        DataRefusedError: it is damaged, encrypted, or grows beyond measure.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith((ZIP, EMPTY_ZIP)):
        return ZipTree(path)
    if _is_tar(head):
        return TarTree(path, path)
    for magic in PACKED:
        if head.startswith(magic):
            return TarTree(path, _unpacked(path, magic))
    return None


class ArchiveTree(Tree):
    """The files of an archive.

    Attributes:
        path: of the archive.
        content: where it is read from.
    """

    def __init__(self, path: Path, content: Path) -> None:
        self.path = path
        self.content = content
        state = path.stat()
        self._stamp = state.st_size, state.st_mtime_ns
        self._skipped: list[Skipped] = []
        self._entries: dict[str, Entry] = {}
        try:
            for entry in self._listed():
                self._add(entry)
        except DAMAGED as error:
            raise DataRefusedError(
                "{path}: the archive is damaged: {problem}.", path=path, problem=str(error).rstrip(".")
            ) from error

    @abstractmethod
    def _listed(self) -> Iterator[Entry]:
        """All files that can be looked at; the others are added to what is skipped."""

    def _add(self, entry: Entry) -> None:
        name = entry.name.replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name or (parts and parts[0].endswith(":")):
            self._skipped.append(Skipped(entry.name, OUTSIDE))
        elif not parts or any(is_left_by_system(part) for part in parts):
            return
        elif entry.size > MOST_BYTES:
            self._skipped.append(Skipped(entry.name, LARGE))
        elif (known := "/".join(parts)) in self._entries:
            self._skipped.append(Skipped(entry.name, TWICE))
        else:
            self._entries[known] = entry

    @property
    def folders(self) -> list[Folder]:
        found: dict[str, dict[str, Entry]] = {"": {}}
        for name, entry in self._entries.items():
            *above, file = name.split("/")
            for depth in range(1, len(above) + 1):
                found.setdefault("/".join(above[:depth]), {})
            found["/".join(above)][file] = entry
        return [
            Folder(path, sorted(files), array("q", [number for name in sorted(files) for number in self._stamp]))
            for path, files in sorted(found.items())
        ]

    @property
    def skipped(self) -> list[Skipped]:
        return self._skipped

    def stamp(self, name: str) -> tuple[int, int] | None:
        return self._stamp if name in self._entries else None

    def opener(self, names: Sequence[str]) -> Opener:
        return Members(self._reader(), [self._entries[name] for name in names])

    def stream(self, name: str) -> IO[bytes]:
        try:
            return io.BytesIO(self._reader()(self._entries[name]))
        except ImageError as error:
            raise OSError(str(error)) from error

    def file(self, name: str) -> Path | None:
        return None

    def begins_as_picture(self, name: str) -> bool:
        with suppress(ImageError):
            return format_of(self._reader()(self._entries[name], HEAD)) is not None
        return False

    def taken_out(self, wanted: Callable[[str], bool]) -> Path | None:
        """A folder in honshi's own with some of the files, which cannot be read within; None where there are none.

        Args:
            wanted: which, by the last part of their names.

        Raises:
            DataRefusedError: one of them is damaged.
            WriteError: they cannot be written.
        """
        files = {
            name.rpartition("/")[2]: entry for name, entry in self._entries.items() if wanted(name.rpartition("/")[2])
        }
        if not files:
            return None
        folder = home() / "unpacked" / _key(self.path)
        read = self._reader()
        for name, entry in files.items():
            path = folder / name
            if path.is_file() and path.stat().st_size == entry.size:
                continue
            try:
                write_whole(path, read(entry))
            except ImageError as error:
                raise DataRefusedError("{path}: {problem}", path=self.path, problem=error.message) from error
        return folder

    @abstractmethod
    def _reader(self) -> Reader:
        """What reads the content of an entry."""


# An entry, and how many of its bytes; all, if left out.
Reader = Callable[..., bytes]


@dataclass(frozen=True)
class Members:
    """Opens pictures of an archive."""

    read: Reader
    entries: Sequence[Entry]

    def __call__(self, place: int) -> bytes:
        return self.read(self.entries[place])


class ZipTree(ArchiveTree):
    """A zip archive."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, path)

    def _listed(self) -> Iterator[Entry]:
        with zipfile.ZipFile(self.content) as archive:
            for at, info in enumerate(archive.infolist()):
                if info.filename.endswith("/"):
                    continue
                name = _name_in_zip(info)
                if info.flag_bits & 1:
                    self._skipped.append(Skipped(name, ENCRYPTED))
                else:
                    yield Entry(name, info.file_size, at)

    def _reader(self) -> Reader:
        return ZipReader(self.content)


class ZipReader:
    """Reads entries of a zip; each thread and process opens it for itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return ZipReader, (self.path,)

    def __call__(self, entry: Entry, most: int | None = None) -> bytes:
        """
        Raises:
            ImageError: it cannot be read, or is not what the archive says.
        """
        try:
            archive: zipfile.ZipFile | None = getattr(self._opened, "archive", None)
            if archive is None:
                archive = self._opened.archive = zipfile.ZipFile(self.path)
            with archive.open(archive.infolist()[entry.at]) as file:
                # Not more than it says to have, whatever comes out of it.
                return file.read(entry.size if most is None else min(most, entry.size))
        except Exception as error:  # whatever a damaged archive makes a decompressor stumble over
            raise ImageError(
                "{path}: this cannot be read from the archive: {problem}.", path=entry.name, problem=error
            ) from error


class TarTree(ArchiveTree):
    """A tar archive that is not compressed."""

    def _listed(self) -> Iterator[Entry]:
        with tarfile.open(self.content, "r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                if not member.isreg():
                    self._skipped.append(Skipped(member.name, LINK))
                else:
                    yield Entry(member.name, member.size, member.offset_data)

    def _reader(self) -> Reader:
        return TarReader(self.content)


@dataclass(frozen=True)
class TarReader:
    """Reads entries of a tar."""

    path: Path

    def __call__(self, entry: Entry, most: int | None = None) -> bytes:
        """
        Raises:
            ImageError: it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(entry.at)
                return file.read(entry.size if most is None else min(most, entry.size))
        except OSError as error:
            raise ImageError("{problem}", problem=explain(error)) from None


def _key(path: Path) -> str:
    """What an archive as it is now is known by."""
    state = path.stat()
    return sha256(f"{path} {state.st_size} {state.st_mtime_ns}".encode("utf-8", "surrogateescape"))[:32]


def _is_tar(head: bytes) -> bool:
    return head[257:262] == TAR


def _name_in_zip(info: zipfile.ZipInfo) -> str:
    """What a file is called: UTF-8 where the archive says so; else it may be, or be Windows' Japanese."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        written = info.filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    for encoding in ("utf-8", "cp932"):
        with suppress(UnicodeDecodeError):
            return written.decode(encoding)
    return info.filename


def _unpacked(path: Path, magic: bytes) -> Path:
    """A compressed tar's content, written once into honshi's data folder.

    Raises:
        DataRefusedError: it is no tar, is damaged, or grows beyond measure.
    """
    state = path.stat()
    target = home() / "unpacked" / f"{_key(path)}.tar"
    if target.is_file():
        return target
    make_folder(target.parent)
    # Another process may be at it too: whoever is done first gives it its name.
    partial = target.with_suffix(f".{os.getpid()}")
    most = max(ALWAYS_BYTES, MOST_RATIO * state.st_size)
    with _opened(path, magic) as packed:
        head = packed.read(HEAD)
        if not _is_tar(head):
            raise DataRefusedError(
                "{path}: this is a compressed file, and no tar archive is in it. Data are a folder, a table, an array "
                "file, or a zip or tar archive.",
                path=path,
            )
        try:
            with writing(partial), partial.open("wb") as out:
                written = out.write(head)
                while piece := packed.read(PIECE):
                    written += out.write(piece)
                    if written > most:
                        raise DataRefusedError(
                            "{path}: its content has more than {most:,} bytes, {ratio} times those of the archive, "
                            "which no pictures have.",
                            path=path,
                            most=most,
                            ratio=MOST_RATIO,
                        )
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target


@contextmanager
def _opened(path: Path, magic: bytes) -> Iterator[IO[bytes]]:
    """
    Raises:
        DataRefusedError: it is damaged.
    """
    try:
        with PACKED[magic](path) as packed:
            yield packed
    except DAMAGED as error:
        raise DataRefusedError(
            "{path}: the archive is damaged: {problem}.", path=path, problem=str(error).rstrip(".")
        ) from error
