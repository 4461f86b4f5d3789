"""A file of pixels being written: picture by picture, in any order, so that whoever was killed there can go on.

    build/pixels      the file, as large as it will be from the start: a full disk is known before hours of work
    build/journal     a record for each picture whose pixels are there: its place, what it was, what its pixels are
    build/plan        which pictures at which places these are

A journal may say more than reached the disk, where the power was cut. So who goes on with it, or takes pictures out of
it, hashes their pixels again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from honshi.data.store.layout import BUILD, HASH, Store, pixels_name, remove
from honshi.files import make_folder, writing

# A record of the journal.
RECORD = np.dtype([("place", "<i8"), ("content", "u1", HASH), ("digest", "u1", HASH)])
PIXELS, JOURNAL, PLAN = "pixels", "journal", "plan"
# Bytes that are copied at once.
CHUNK = 1 << 24


@dataclass(frozen=True)
class Row:
    """Where the pixels of a picture are that was read before.

    Attributes:
        file: of pixels.
        row: in it.
        digest: SHA-256 of its pixels.
        certain: whether they are known to have reached the disk.
    """

    file: Path
    row: int
    digest: bytes
    certain: bool


def rows_of(store: Store) -> dict[bytes, Row]:
    """Where the pixels of a store's pictures are, by what the pictures were."""
    pictures = store.pictures
    known = np.flatnonzero(pictures.rows >= 0)
    contents, digests = _each(pictures.contents[known]), _each(pictures.digests[known])
    rows, file = pictures.rows[known].tolist(), store.pixels
    return {content: Row(file, row, digest, True) for content, row, digest in zip(contents, rows, digests, strict=True)}


class Build:
    """The unfinished file of pixels of a store.

    Attributes:
        done: bool (n,): which pictures are in it.
        contents, digests: uint8 (n, 32), of those.
    """

    def __init__(self, folder: Path, plan: str, count: int, size: int) -> None:
        """
        Args:
            folder: of the store.
            plan: which pictures these are, and in which order; one word.
            count: n, how many.
            size: the bytes of one.
        """
        self.folder = folder
        self.path = folder / BUILD
        self.plan = plan
        self.size = size
        self.done = np.zeros(count, dtype=bool)
        self.contents = np.zeros((count, HASH), dtype=np.uint8)
        self.digests = np.zeros((count, HASH), dtype=np.uint8)
        self._pixels: BinaryIO | None = None
        self._journal: BinaryIO | None = None

    def left_behind(self) -> dict[bytes, Row]:
        """Pictures in the file that another plan has left unfinished, by what they were. It is moved aside."""
        if self._planned() == self.plan or not (self.path / PIXELS).exists():
            return {}
        aside = self.folder / f"{BUILD}-left"
        shutil.rmtree(aside, ignore_errors=True)
        self.path.rename(aside)
        found, file = {}, aside / PIXELS
        for record in _records(aside / JOURNAL):
            row = Row(file, int(record["place"]), record["digest"].tobytes(), False)
            found[record["content"].tobytes()] = row
        return found

    def __enter__(self) -> Self:
        """Begin it, or go on with it.

        Raises:
            WriteError: there is no room for it; nothing is left behind then.
        """
        with self._removed_where_full():
            if self._planned() != self.plan:
                shutil.rmtree(self.path, ignore_errors=True)
            make_folder(self.path)
            pixels = self.path / PIXELS
            with pixels.open("r+b" if pixels.exists() else "w+b", buffering=0) as stream:
                _reserve(stream, len(self.done) * self.size)
            (self.path / PLAN).write_text(self.plan, "utf-8")
            self._pixels = pixels.open("r+b", buffering=0)
            for record in _records(self.path / JOURNAL):
                self._take_over(record)
            # Anew, without half a record at its end and what did not hold.
            self._journal = (self.path / JOURNAL).open("wb", buffering=0)
            self._note(np.flatnonzero(self.done))
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self._pixels, self._journal):
            if stream is not None:
                stream.close()
        self._pixels = self._journal = None

    def put(self, pictures: Sequence[tuple[int, bytes, bytes, bytes]]) -> None:
        """Write pictures: of each its place, what it was, its pixels and their hash; neighbours in one go.

        Raises:
            WriteError: there is no room for them.
        """
        assert self._pixels is not None
        with self._removed_where_full():
            start = 0
            for stop in range(1, len(pictures) + 1):
                if stop == len(pictures) or pictures[stop][0] != pictures[stop - 1][0] + 1:
                    self._pixels.seek(pictures[start][0] * self.size)
                    _write(self._pixels, b"".join([pixels for _, _, pixels, _ in pictures[start:stop]]))
                    start = stop
            places = np.array([place for place, *_ in pictures], dtype=np.int64)
            self.contents[places] = _hashes([content for _, content, _, _ in pictures])
            self.digests[places] = _hashes([digest for *_, digest in pictures])
            self.done[places] = True
            self._note(places)

    def copy(self, places: NDArray[np.int64], rows: list[Row]) -> NDArray[np.bool_]:
        """Take over pictures that were read before; rows that lie one behind the other in one go.

        Args:
            places: ascending, (m,).
            rows: m, where they are.

        Returns:
            bool (m,): which of them were what they should be.

        Raises:
            WriteError: there is no room for them.
        """
        taken = np.zeros(len(places), dtype=bool)
        with self._removed_where_full():
            for start, stop in _runs(places, rows, max(1, CHUNK // self.size)):
                first = rows[start]
                try:
                    with first.file.open("rb", buffering=0) as stream:
                        stream.seek(first.row * self.size)
                        content = _read(stream, (stop - start) * self.size)
                except OSError:
                    continue
                if len(content) < (stop - start) * self.size:
                    continue
                assert self._pixels is not None
                self._pixels.seek(int(places[start]) * self.size)
                _write(self._pixels, content)
                for at in range(start, stop):
                    pixels = content[(at - start) * self.size : (at - start + 1) * self.size]
                    taken[at] = rows[at].certain or hashlib.sha256(pixels).digest() == rows[at].digest
        return taken

    def note(self, places: NDArray[np.int64], contents: NDArray[np.uint8], digests: NDArray[np.uint8]) -> None:
        """Have it known that pictures which were copied are there."""
        with self._removed_where_full():
            self.contents[places], self.digests[places], self.done[places] = contents, digests, True
            self._note(places)

    def finish(self, contents: NDArray[np.uint8]) -> str:
        """Bring the file to the disk and give it its name; `discard` then ends the build.

        Args:
            contents: uint8 (n, 32), by which it is named; zeros where a picture is none.

        Returns:
            Its name in the store's folder.
        """
        assert self._pixels is not None
        with self._removed_where_full():
            os.fsync(self._pixels.fileno())
        self.__exit__()
        name = pixels_name(contents)
        final = self.folder / name
        with writing(final):
            remove(final)
            try:
                # Under both names, until a header says so: whoever is killed in between has lost nothing.
                os.link(self.path / PIXELS, final)
            except OSError:
                (self.path / PIXELS).replace(final)
        return name

    def discard(self) -> None:
        """Remove what is unfinished."""
        self.__exit__()
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.rmtree(self.folder / f"{BUILD}-left", ignore_errors=True)

    def _planned(self) -> str | None:
        try:
            return (self.path / PLAN).read_text("utf-8")
        except (OSError, ValueError):
            return None

    def _take_over(self, record: np.void) -> None:
        place, digest = int(record["place"]), record["digest"].tobytes()
        if not 0 <= place < len(self.done) or self._pixels is None:
            return
        self._pixels.seek(place * self.size)
        if hashlib.sha256(_read(self._pixels, self.size)).digest() == digest:
            self._set(place, record["content"].tobytes(), digest)

    def _set(self, place: int, content: bytes, digest: bytes) -> None:
        self.done[place] = True
        self.contents[place] = np.frombuffer(content, np.uint8)
        self.digests[place] = np.frombuffer(digest, np.uint8)

    def _note(self, places: NDArray[np.int64]) -> None:
        assert self._journal is not None
        records = np.zeros(len(places), RECORD)
        records["place"], records["content"] = places, self.contents[places]
        records["digest"] = self.digests[places]
        _write(self._journal, records.tobytes())

    @contextmanager
    def _removed_where_full(self) -> Iterator[None]:
        """Where there is no room for it the build is removed, and that is said."""
        with writing(self.path):
            try:
                yield
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    self.discard()
                raise


def _reserve(stream: BinaryIO, size: int) -> None:
    """Make an open file so large, and have the room for it, where the system can say so beforehand.

    Raises:
        OSError: there is no room.
    """
    held = os.fstat(stream.fileno()).st_size
    if held != size:
        stream.truncate(size)
    if size > held and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(stream.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise


def _records(path: Path) -> Iterator[np.void]:
    """The whole records of a journal."""
    content = b""
    with suppress(OSError):
        content = path.read_bytes()
    yield from np.frombuffer(content[: len(content) // RECORD.itemsize * RECORD.itemsize], RECORD)


def _runs(places: NDArray[np.int64], rows: list[Row], most: int) -> Iterator[tuple[int, int]]:
    """Where places and rows both count up by one in the same file, at most so many at once: (start, stop) of each."""
    start = 0
    for at in range(1, len(rows) + 1):
        if (
            at == len(rows)
            or at - start == most
            or rows[at].file is not rows[start].file
            or rows[at].row - rows[start].row != at - start
            or int(places[at] - places[start]) != at - start
        ):
            yield start, at
            start = at


def _read(stream: BinaryIO, size: int) -> bytes:
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _write(stream: BinaryIO, content: bytes) -> None:
    """All of it: an unbuffered file may take less at once."""
    view = memoryview(content)
    while len(view):
        view = view[stream.write(view) :]


def _hashes(hashes: Sequence[bytes]) -> NDArray[np.uint8]:
    """Hashes of 32 bytes as (m, 32)."""
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH)


def _each(hashes: NDArray[np.uint8]) -> list[bytes]:
    """Rows of (m, 32) as bytes."""
    content = np.ascontiguousarray(hashes).tobytes()
    return [content[at : at + HASH] for at in range(0, len(content), HASH)]
