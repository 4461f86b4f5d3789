"""What honshi keeps in the user's data folder and can make again: how much it is, and its removal.

What cannot be made again is not listed here and never removed: the ledger, the looks at validation images, and which
pictures were set aside for the exam.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from honshi.data.store.shelf import Shelved, shelved
from honshi.errors import RequestError
from honshi.files import bytes_in, home
from honshi.messages import Message


@dataclass(frozen=True)
class Entry:
    """Something that is kept and can be made again.

    Attributes:
        name: by which it can be asked to be removed; a data set has as many of a name as it has sizes and parts.
        what: what it is.
        path: where it lies.
        bytes: that it takes.
        used: when it was used last, where that is known.
        shape: (n, c, h, w) of pictures.
        by_name: why it is removed only where its name is given; None where it is removed with all others.
        remove: removes it, and says whether it could.
    """

    name: str
    what: Message
    path: Path
    bytes: int
    used: datetime | None
    shape: tuple[int, int, int, int] | None
    by_name: Message | None
    remove: Callable[[], bool]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "what": str(self.what),
            "path": str(self.path),
            "bytes": self.bytes,
            "used": None if self.used is None else self.used.isoformat(timespec="seconds"),
            "shape": None if self.shape is None else list(self.shape),
            "removed_only_by_name": self.by_name is not None,
        }


@dataclass(frozen=True)
class Cache:
    """All of it.

    Attributes:
        folder: honshi's data folder.
        entries: the data sets first.
    """

    folder: Path
    entries: list[Entry]

    @property
    def sentences(self) -> list[Message]:
        if not self.entries:
            return [Message("Nothing is kept in {folder} that can be made again.", folder=self.folder)]
        said = [
            Message(
                "{size} in {folder}. `honshi cache clear` removes it all, `honshi cache clear NAME` some of it.",
                size=size_of(sum(entry.bytes for entry in self.entries)),
                folder=self.folder,
            )
        ]
        return said + [
            Message("{name} goes only by its name: {why}", name=entry.name, why=entry.by_name)
            for entry in self.entries
            if entry.by_name is not None
        ]

    def to_dict(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "entries": [entry.to_dict() for entry in self.entries]}


@dataclass(frozen=True)
class Cleared:
    """What was removed.

    Attributes:
        removed: what is gone.
        kept: what was asked for and is there still, and why.
    """

    removed: list[Entry]
    kept: list[tuple[Entry, Message]]

    @property
    def sentences(self) -> list[Message]:
        said = [
            Message(
                "Removed: {count:,} ({size}).",
                count=len(self.removed),
                size=size_of(sum(entry.bytes for entry in self.removed)),
            )
        ]
        return said + [Message("{name} stays: {why}", name=entry.name, why=why) for entry, why in self.kept]

    def to_dict(self) -> dict[str, Any]:
        return {
            "removed": [entry.to_dict() for entry in self.removed],
            "kept": [entry.to_dict() for entry, _ in self.kept],
        }


def list_cache() -> Cache:
    """What is kept and can be made again."""
    return Cache(home(), [*map(_of_store, shelved()), *_folders()])


def clear(names: Sequence[str] = ()) -> Cleared:
    """Remove what can be made again.

    Args:
        names: of entries; all but those that go only by their name, if left out.

    Raises:
        RequestError: there is nothing of that name.
    """
    entries = list_cache().entries
    known = {entry.name for entry in entries}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise RequestError(
            "Nothing that is kept and can be made again is called {name!r}. There is: {known}.",
            name=unknown[0],
            known=", ".join(sorted(known)) or Message("nothing"),
        )
    removed, kept = [], []
    for entry in entries:
        if names and entry.name not in names:
            continue
        if not names and entry.by_name is not None:
            kept.append((entry, entry.by_name))
        elif entry.remove():
            removed.append(entry)
        else:
            kept.append((entry, Message("another process is using it, or it cannot be removed.")))
    return Cleared(removed, kept)


def size_of(count: int) -> str:
    """Bytes as people read them."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def _of_store(store: Shelved) -> Entry:
    gone = Message("the pictures that it was read from are not there any more.")
    return Entry(
        name=store.title,
        what=Message("pictures, unfinished") if store.header is None else Message("pictures"),
        path=store.folder,
        bytes=store.bytes,
        used=datetime.fromtimestamp(store.used, UTC),
        shape=store.shape,
        by_name=None if store.rebuildable else gone,
        remove=store.remove,
    )


def _folders() -> list[Entry]:
    """Folders of which each file can be made again."""
    fetched = Message("it has to be fetched from the network again.")
    known: dict[str, tuple[Message, Message | None]] = {
        "leaks": (Message("what searches for copies across splits have found"), None),
        "verified": (Message("which published files are known to be whole"), None),
        "compiled": (Message("what the C compiler has made"), None),
        "unpacked": (Message("compressed tar archives, as tar archives that are not"), None),
        "novelty": (Message("what the lab knows of training images, to warn of drawings unlike them"), None),
        "features": (Message("what backbones have made of pictures"), None),
        "datasets": (Message("data sets that were fetched"), fetched),
    }
    found = []
    for name, (what, by_name) in known.items():
        path = home() / name
        if path.is_dir() and (size := bytes_in(path)):
            found.append(Entry(name, what, path, size, None, None, by_name, lambda path=path: _removed(path)))  # type: ignore[misc]
    return found


def _removed(path: Path) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()
