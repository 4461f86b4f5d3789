"""Pictures of a listing read into a store: what is new of them, and nothing twice.

A picture is known again by what it was, SHA-256 of its file or of its raw pixels, so that one which was renamed, moved
or given another label is not decoded again. A file whose size and time of change are those that it had is taken for
unchanged, but not where it was younger than 2 seconds when it was read: within that time a change may not show in
them, and it is hashed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import filelock
import numpy as np
from numpy.typing import NDArray

from honshi.data.listing import UNLABELLED, Listing
from honshi.data.store.build import Build, Row, rows_of
from honshi.data.store.deciding import decide
from honshi.data.store.decoding import Decoded, content_of
from honshi.data.store.form import Form, Settings
from honshi.data.store.layout import (
    HASH,
    LOCK,
    SKIPPED,
    Pictures,
    Store,
    folder_of,
    joined,
    open_store,
    write_store,
    young,
)
from honshi.data.store.mapped import Mapped
from honshi.data.store.workers import cores, decoded
from honshi.errors import DataError, HonshiError, RequestError
from honshi.files import make_folder, sha256, writing
from honshi.messages import Message

# Between two reports.
EVERY_SECONDS = 0.1


@dataclass(frozen=True)
class Reading:
    """So many pictures are read.

    Attributes:
        done, total: pictures.
        seconds: since the first.
    """

    done: int
    total: int
    seconds: float

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None as long as nobody can say."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


Tell: TypeAlias = Callable[[Reading | Message], None]


def ingest(
    listing: Listing,
    settings: Settings | Form | None = None,
    *,
    part: str = "open",
    strict: bool = False,
    tell: Tell | None = None,
) -> Mapped:
    """The pictures of a listing, read where they were not read before.

    Args:
        listing: pictures, each with a label.
        settings: to which shape they are brought; a `Form` is one that was decided for more than these.
        part: a word. Each part of a data set has a file of pixels of its own, as a sealed test part needs one.
        strict: refuse where a picture cannot be read.
        tell: told how far it is, and that another process has to be waited for.

    Returns:
        All pictures that can be read, in the listing's order. What cannot is in ``skipped``.

    Raises:
        DataError: none can be read.
        RequestError: one cannot be read, and that is asked for to be refused; or one has no label.
        WriteError: there is no room for them.
    """
    if (listing.labels == UNLABELLED).any():
        place = int((listing.labels == UNLABELLED).argmax())
        raise RequestError(
            "{name}: this picture has no label, so nothing can be learnt from it and no answer scored.",
            name=listing.names[place],
        )
    form = settings if isinstance(settings, Form) else decide(listing, settings)
    folder = folder_of(listing.name) / f"{form.key}-{part}"
    store = _ready(folder, listing)
    if store is None:
        with _locked(folder, tell):
            store = _ready(folder, listing) or _Ingest(folder, listing, form, tell).store()
    store.note_use()
    mapped = Mapped(store)
    if strict and mapped.skipped:
        raise _refused(mapped)
    if not len(mapped):
        raise _none_readable(listing, mapped.skipped)
    return mapped


def contents(listing: Listing) -> NDArray[np.uint8]:
    """SHA-256 of what each picture of a listing is before it is brought to a size, uint8 (n, 32), zeros where that
    cannot be told. By it a picture stays known under another name, and where another size is asked for.

    Nothing is decoded; what was read before and has not changed since is not read.
    """
    found, known = _known(listing, [store.pictures for store in stores_of(listing.name)])
    _hash_others(listing, found, known)
    return found


def stores_of(name: str) -> list[Store]:
    """All finished stores of a data set."""
    folder = folder_of(name)
    folders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [store for path in folders if (store := open_store(path)) is not None]


def _ready(folder: Path, listing: Listing) -> Store | None:
    """The store where it holds just these pictures, none of which has changed."""
    store = open_store(folder)
    if store is None:
        return None
    pictures = store.pictures
    same = (
        pictures.classes == listing.classes
        and store.header["names_sha256"] == sha256(joined(listing.names))
        and np.array_equal(pictures.stamps, listing.stamps)
        and np.array_equal(pictures.labels, listing.labels)
        and not pictures.unsure.any()
    )
    return store if same else None


class _Ingest:
    """One reading of a listing into a folder; whoever makes it holds the folder's lock."""

    def __init__(self, folder: Path, listing: Listing, form: Form, tell: Tell | None) -> None:
        self.folder = folder
        self.listing = listing
        self.form = form
        self.tell = tell or (lambda event: None)
        self.began_ns = time.time_ns()
        self.skipped: dict[int, Message] = {}
        self.contents_of_skipped: dict[int, bytes] = {}

    def store(self) -> Store:
        """Read what is new, and finish."""
        before = open_store(self.folder)
        siblings = [store for store in stores_of(self.listing.name) if store.form == self.form]
        plan = sha256(joined(self.listing.names) + self.listing.stamps.tobytes())
        build = Build(self.folder, plan, len(self.listing), self.form.bytes)
        rows: dict[bytes, Row] = build.left_behind()
        for store in siblings:
            rows |= rows_of(store)
        known, sure = _known(self.listing, [store.pictures for store in siblings])
        if rows:
            _hash_others(self.listing, known, sure)
        if before is not None and (relabelled := self._relabelled(before, known)) is not None:
            return relabelled
        with build:
            self._fill(build, rows, known)
            return self._finish(build)

    def _relabelled(self, before: Store, contents: NDArray[np.uint8]) -> Store | None:
        """The store where pixels and their order stay: names, labels and classes are written anew, and no more."""
        pictures = before.pictures
        skipped = np.flatnonzero(pictures.rows < 0).tolist()
        reasons = [reason for _, reason in before.skipped()]
        if not np.array_equal(contents, pictures.contents) or len(reasons) != len(skipped):
            return None
        self.skipped = dict(zip(skipped, reasons, strict=True))
        return self._written(contents, pictures.rows, pictures.digests, str(before.header["pixels"]))

    def _fill(self, build: Build, rows: dict[bytes, Row], known: NDArray[np.uint8]) -> None:
        """Copy what was read before, and read the rest."""
        missing = np.flatnonzero(~build.done)
        if rows and len(missing):
            found = [
                (place, rows[content]) for place in missing.tolist() if (content := known[place].tobytes()) in rows
            ]
            if found:
                places = np.array([place for place, _ in found], dtype=np.int64)
                taken = build.copy(places, [row for _, row in found])
                digests = np.frombuffer(b"".join(row.digest for _, row in found), np.uint8).reshape(-1, HASH)
                build.note(places[taken], known[places[taken]], digests[taken])
        missing = np.flatnonzero(~build.done)
        started = reported = time.perf_counter()
        done = 0
        if len(missing):
            self.tell(Reading(0, len(missing), 0.0))
        for chunk in decoded(self.listing, missing.tolist(), self.form.contract):
            build.put([(each.place, each.content, each.pixels, each.digest) for each in chunk if each.problem is None])
            for each in chunk:
                if each.problem is not None:
                    self._skip(each)
            done += len(chunk)
            if (now := time.perf_counter()) - reported > EVERY_SECONDS or done == len(missing):
                reported = now
                self.tell(Reading(done, len(missing), now - started))

    def _skip(self, picture: Decoded) -> None:
        assert picture.problem is not None
        self.skipped[picture.place] = picture.problem
        self.contents_of_skipped[picture.place] = picture.content

    def _finish(self, build: Build) -> Store:
        if not build.done.any():
            build.discard()
            raise _none_readable(self.listing, self._named())
        rows = np.where(build.done, np.arange(len(build.done)), -1)
        contents = build.contents
        for place, content in self.contents_of_skipped.items():
            if content:
                contents[place] = np.frombuffer(content, np.uint8)
        pixels = build.finish(contents)
        store = self._written(contents, rows, build.digests, pixels)
        build.discard()
        return store

    def _written(
        self, contents: NDArray[np.uint8], rows: NDArray[np.int64], digests: NDArray[np.uint8], pixels: str
    ) -> Store:
        stamps = np.ascontiguousarray(self.listing.stamps, np.int64)
        return write_store(
            self.folder,
            name=self.listing.name,
            title=self.listing.title,
            form=self.form,
            pictures=Pictures(
                names=self.listing.names,
                stamps=stamps,
                # What could not even be opened may be allowed to us later.
                unsure=young(stamps, self.began_ns) | ~contents.any(1),
                contents=contents,
                rows=rows,
                digests=digests,
                labels=np.ascontiguousarray(self.listing.labels, np.int32),
                classes=self.listing.classes,
            ),
            pixels=pixels,
            rows=len(rows),
            skipped=self._named(),
        )

    def _named(self) -> list[tuple[str, Message]]:
        return [(self.listing.names[place], self.skipped[place]) for place in sorted(self.skipped)]


def _known(listing: Listing, before: Sequence[Pictures]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """What pictures are that have the name and the stamp that they had before: contents (n, 32), and which (n,)."""
    contents = np.zeros((len(listing), HASH), dtype=np.uint8)
    sure = np.zeros(len(listing), dtype=bool)
    for pictures in before:
        of_name = {name: place for place, name in enumerate(pictures.names)}
        then = np.array([of_name.get(name, -1) for name in listing.names], dtype=np.int64)
        there = np.flatnonzero(then >= 0)
        then = then[there]
        same = (
            (pictures.stamps[then] == listing.stamps[there]).all(1)
            & ~pictures.unsure[then]
            & pictures.contents[then].any(1)
        )
        contents[there[same]] = pictures.contents[then[same]]
        sure[there[same]] = True
    return contents, sure


def _hash_others(listing: Listing, contents: NDArray[np.uint8], sure: NDArray[np.bool_]) -> None:
    """Read and hash what is not known by its stamp; what cannot be read stays zeros."""

    def look(place: int) -> bytes:
        try:
            return content_of(listing.open(place))[0]
        except HonshiError:
            return bytes(HASH)

    others = np.flatnonzero(~sure)
    if not len(others):
        return
    with ThreadPoolExecutor(cores()) as threads:  # reading and hashing are not Python's own work
        for place, content in zip(others.tolist(), threads.map(look, others.tolist()), strict=True):
            contents[place] = np.frombuffer(content, np.uint8)


@contextmanager
def _locked(folder: Path, tell: Tell | None) -> Iterator[None]:
    """Only one process reads into a folder; another one waits, and finds everything there."""
    make_folder(folder)
    lock = filelock.FileLock(folder / LOCK)
    with writing(folder / LOCK):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if tell is not None:
                tell(Message("Another process is reading these pictures. Waiting for it."))
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _refused(images: Mapped) -> RequestError:
    name, reason = images.skipped[0]
    return RequestError(
        "{count:,} pictures cannot be read, and that is refused. The first one is {name}: {reason} All are listed in "
        "{path}.",
        count=len(images.skipped),
        name=name,
        reason=reason,
        path=images.store.folder / SKIPPED,
    )


def _none_readable(listing: Listing, skipped: Sequence[tuple[str, Message]]) -> DataError:
    if not skipped:
        return DataError("{data}: there is no picture.", data=listing.title)
    name, reason = skipped[0]
    return DataError(
        "{data}: none of {count:,} pictures can be read. The first one is {name}: {reason}",
        data=listing.title,
        count=len(skipped),
        name=name,
        reason=reason,
    )
