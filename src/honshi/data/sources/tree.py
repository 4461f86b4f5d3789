"""Where a source's files lie: in a folder or in an archive, which the kinds of source need not tell apart."""

from __future__ import annotations

import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO

from honshi.data.listing import Files, Opener, Skipped
from honshi.errors import DataRefusedError
from honshi.pictures.folders import Folder, Walk, calls_itself_picture, walk
from honshi.pictures.formats import begins_as_picture


class Tree(ABC):
    """Files with names from a root, "/" between folders.

    Attributes:
        path: the folder or the archive, absolute.
    """

    path: Path

    @property
    @abstractmethod
    def folders(self) -> list[Folder]:
        """Each folder, also one without files, sorted by path."""

    @property
    @abstractmethod
    def skipped(self) -> list[Skipped]:
        """What is not looked at."""

    @abstractmethod
    def stamp(self, name: str) -> tuple[int, int] | None:
        """Size in bytes and time of change in ns of what holds a file; None if there is no such file."""

    @abstractmethod
    def opener(self, names: Sequence[str]) -> Opener:
        """Opens those pictures by their places."""

    @abstractmethod
    def stream(self, name: str) -> IO[bytes]:
        """The content of a file that is there, to be read from any place and to be closed.

        Raises:
            OSError: it cannot be read.
        """

    @abstractmethod
    def file(self, name: str) -> Path | None:
        """Where a file lies on the disk; None where it does not by itself."""

    @abstractmethod
    def begins_as_picture(self, name: str) -> bool:
        """Whether a file is a picture by its first bytes."""

    def is_picture(self, name: str) -> bool:
        """Whether a file is one by its name or by its first bytes."""
        return calls_itself_picture(name) or self.begins_as_picture(name)

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """The content of a file that is there.

        Raises:
            DataRefusedError: it cannot be read.
        """
        try:
            with self.stream(name) as stream:
                yield stream
        except OSError as error:
            raise DataRefusedError(
                "{path}: this cannot be read ({reason}).",
                path=self.path / name,
                reason=error.strerror or str(error),
            ) from error


class FolderTree(Tree):
    """The files of a folder, which is looked through when it is first asked for all of them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _walk(self) -> Walk:
        return walk(self.path)

    @property
    def folders(self) -> list[Folder]:
        return self._walk.folders

    @property
    def skipped(self) -> list[Skipped]:
        return [Skipped(name, odd.value) for name, odd in self._walk.odd]

    def stamp(self, name: str) -> tuple[int, int] | None:
        try:
            state = (self.path / name).stat()
        except (OSError, ValueError):
            return None
        return (state.st_size, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else None

    def opener(self, names: Sequence[str]) -> Opener:
        return Files(self.path, names)

    def stream(self, name: str) -> IO[bytes]:
        return (self.path / name).open("rb")

    def file(self, name: str) -> Path | None:
        return self.path / name

    def begins_as_picture(self, name: str) -> bool:
        return begins_as_picture(self.path / name)
