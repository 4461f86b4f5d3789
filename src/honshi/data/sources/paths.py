"""The paths in a table: resolved below its folder, and never out of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from honshi.data.sources.tree import Tree
from honshi.errors import DataRefusedError

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class Paths:
    """Paths as tables write them, as names of files."""

    def __init__(self, tree: Tree, folder: str) -> None:
        """
        Args:
            tree: where the files lie.
            folder: of the table, in the tree.
        """
        self._tree = tree
        self._folder = folder

    def find(self, text: str) -> tuple[str, tuple[int, int]] | None:
        """The name of the file that a path means, and its stamp; None if there is no such file.

        Raises:
            ValueError: the path leads out of the root.
        """
        outside = False
        for spelt in _spellings(text):
            name = self._name(spelt)
            if name is None:
                outside = True
                continue
            stamp = self._tree.stamp(name)
            if stamp is not None:
                return name, stamp
        if outside:
            raise ValueError(text)
        return None

    def is_there(self, text: str) -> bool:
        """Whether a path means a file."""
        try:
            return self.find(text) is not None
        except ValueError:
            return False

    def _name(self, path: str) -> str | None:
        """A path from the root of the tree; None if it leads out of it."""
        if _WINDOWS.match(path):
            return None
        if path.startswith("/"):
            path = posixpath.normpath(path)
            root = self._tree.path.as_posix().rstrip("/") + "/"
            return path[len(root) :] if path.startswith(root) else None
        path = posixpath.normpath(posixpath.join(self._folder, path))
        return None if path == ".." or path.startswith("../") else path


def refused(where: str, line: int, path: str, root: object) -> DataRefusedError:
    """The error for a path that leads out of the root."""
    return DataRefusedError(
        "{where}: line {line:,}: the path {path!r} leads out of {root}. Paths are taken from the table's folder.",
        where=where,
        line=line,
        path=path,
        root=root,
    )


def _spellings(text: str) -> Iterator[str]:
    """A path as it stands, without white space around it, and with the backslashes of Windows."""
    spelt = dict.fromkeys((text, text.strip()))
    for each in list(spelt):
        if "\\" in each and not _WINDOWS.match(each):
            spelt[each.replace("\\", "/")] = None
    return (each for each in spelt if each)
