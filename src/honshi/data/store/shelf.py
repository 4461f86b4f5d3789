"""All stores on this machine: what they hold, how large they are, and how they are removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from honshi.data.store.layout import BUILD, HEADER, LOCK, read_header, stores
from honshi.files import bytes_in, make_folder, writing


@dataclass(frozen=True)
class Shelved:
    """One store, finished or not.

    Attributes:
        folder: of it.
        header: None where it is not finished.
        bytes: that it takes.
        used: when it was used last, in seconds since 1970.
    """

    folder: Path
    header: dict[str, Any] | None
    bytes: int
    used: float

    @property
    def title(self) -> str:
        """What the data set is called."""
        return str(self.header["title"]) if self.header is not None else self.folder.parent.name

    @property
    def part(self) -> str:
        return self.folder.name.rpartition("-")[2]

    @property
    def shape(self) -> tuple[int, int, int, int] | None:
        """(n, c, h, w); None as long as nobody knows."""
        if self.header is None:
            return None
        count, channels, height, width = self.header["shape"]
        return count, channels, height, width

    @property
    def rebuildable(self) -> bool:
        """Whether that which it was read from is where it was."""
        if self.header is None:
            return True
        data = str(self.header["data"])
        # What is fetched by its name is fetched again.
        return not Path(data).is_absolute() or Path(data).exists()

    def remove(self) -> bool:
        """Remove it, unless another process is reading into it just now; False where it is."""
        with _held(self.folder) as free:
            if free:
                for path in self.folder.iterdir():
                    if path.name != LOCK:
                        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if free:
            shutil.rmtree(self.folder, ignore_errors=True)
            if not any(path.is_dir() for path in self.folder.parent.iterdir()):
                shutil.rmtree(self.folder.parent, ignore_errors=True)
        return free


def shelved() -> list[Shelved]:
    """All stores, those of one data set beside each other."""
    found = []
    root = stores()
    for folder in sorted(path for path in root.glob("*/*") if path.is_dir()):
        header = read_header(folder)
        kept = folder / (HEADER if header is not None else BUILD)
        try:
            about = kept.stat()
            found.append(Shelved(folder, header, bytes_in(folder), max(about.st_atime, about.st_mtime)))
        except OSError:
            continue  # another process has removed it
    return sorted(found, key=lambda store: (store.title, store.folder))


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    make_folder(folder)
    lock = filelock.FileLock(folder / LOCK)
    with writing(folder):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
