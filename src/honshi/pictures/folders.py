"""What is in a folder: its files at every depth, the pictures among them, and what cannot be looked at."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from honshi.errors import DataNotFoundError
from honshi.messages import Message
from honshi.pictures.formats import SUFFIXES, begins_as_picture, readable

# What systems leave in folders for themselves, beside what begins with a dot.
_LEFT_BY_SYSTEMS = {"__macosx", "thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Folder:
    """The files that lie directly in a folder.

    Attributes:
        path: from the root with "/"; empty for the root itself.
        files: their names, sorted.
        stamps: of each, its size and its time of change in ns, one after the other.
    """

    path: str
    files: list[str] = field(default_factory=list)
    stamps: array[int] = field(default_factory=lambda: array("q"))

    def below(self, name: str) -> str:
        """The path from the root of something in it."""
        return f"{self.path}/{name}" if self.path else name


class Odd(Enum):
    """Why something in a folder is not looked at; its value is said."""

    DANGLING = Message("it is a link that leads nowhere")
    AGAIN = Message("it is a link to a folder that is looked through already")
    SPECIAL = Message("it is neither a file nor a folder but a pipe, a socket or a device")
    CLOSED = Message("it cannot be looked into: there is no permission, or it is damaged")


@dataclass(frozen=True)
class Walk:
    """What is below a folder.

    Attributes:
        folders: each folder, also one without files, sorted by path.
        odd: what is not looked at: its path from the root, and why.
    """

    folders: list[Folder] = field(default_factory=list)
    odd: list[tuple[str, Odd]] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What some paths hold.

    Attributes:
        pictures: files to be read, and what calls itself a picture and cannot be.
        others: files in folders that are not pictures in a format that is read.
    """

    pictures: list[Path]
    others: list[Path]


def find_pictures(paths: Sequence[Path]) -> Found:
    """The files themselves, whatever they are, and in the place of a folder the pictures below it, sorted.

    Hidden files and folders, and what systems leave for themselves, are passed over in folders.

    Raises:
        DataNotFoundError: there is no such file, or a folder has no picture.
    """
    found = Found([], [])
    for path in paths:
        if path.is_dir():
            before = len(found.pictures)
            _sort_out(path, found)
            if len(found.pictures) == before:
                raise DataNotFoundError(
                    "{path}: there is no image in this folder, and {others:,} other files. honshi reads {formats}.",
                    path=path,
                    others=len(found.others),
                    formats=", ".join(readable()),
                )
        elif os.path.lexists(path):
            found.pictures.append(path)
        else:
            raise DataNotFoundError("{path}: there is no such file or folder.", path=path)
    return found


def _sort_out(root: Path, found: Found) -> None:
    """Add what is below a folder to what was found."""
    seen = walk(root)
    pictures: list[Path] = []
    others: list[Path] = []
    for folder in seen.folders:
        for name in folder.files:
            path = root / folder.below(name)
            (pictures if calls_itself_picture(name) or begins_as_picture(path) else others).append(path)
    for name, odd in seen.odd:
        if odd is not Odd.AGAIN:
            # A folder that could not be looked into is to be told.
            (pictures if calls_itself_picture(name) or odd is Odd.CLOSED else others).append(root / name)
    found.pictures.extend(sorted(pictures))
    found.others.extend(sorted(others))


def walk(root: Path) -> Walk:
    """All files at or below a folder but the hidden ones and what systems leave for themselves.

    Links are followed. Each folder is looked through once, so that no circle of links leads round for ever and no
    picture is there twice: by its own path where it has one, and by a link otherwise.
    """
    found = Walk()
    seen: set[tuple[int, int]] = set()
    folders, links = [""], list[str]()
    while folders or links:
        linked = not folders
        path = folders.pop() if folders else links.pop(0)
        try:
            here = (root / path).stat()
            if (here.st_dev, here.st_ino) in seen:
                found.odd.append((path, Odd.AGAIN))
                continue
            seen.add((here.st_dev, here.st_ino))
            folder, below, to_folders = _look_through(root, path, found)
        except OSError:
            found.odd.append((path, Odd.CLOSED))
            continue
        found.folders.append(folder)
        folders.extend(below)
        # What a link leads to is looked through before the next link is.
        links[:0] = to_folders if linked else []
        links.extend([] if linked else to_folders)
    found.folders.sort(key=lambda folder: folder.path)
    found.odd.sort(key=lambda each: each[0])
    return found


def is_left_by_system(name: str) -> bool:
    """Whether what is called so is hidden, or what a system leaves in folders for itself."""
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def calls_itself_picture(name: str) -> bool:
    """Whether the name of a file says that it is a picture."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122  # a path for each would take ten times as long


def _look_through(root: Path, path: str, found: Walk) -> tuple[Folder, list[str], list[str]]:
    """A folder, the paths of the folders in it, and of the links to folders.

    Raises:
        OSError: it cannot be looked into.
    """
    folder = Folder(path)
    files: list[tuple[str, int, int]] = []
    below, links = [], []
    with os.scandir(root / path) as entries:
        for entry in entries:
            name = entry.name
            if is_left_by_system(name):
                continue
            try:
                if entry.is_file(follow_symlinks=False):
                    state = entry.stat(follow_symlinks=False)
                    files.append((name, state.st_size, state.st_mtime_ns))
                elif entry.is_dir(follow_symlinks=False):
                    below.append(folder.below(name))
                elif stat.S_ISDIR((state := entry.stat()).st_mode):
                    links.append(folder.below(name))
                elif stat.S_ISREG(state.st_mode):
                    files.append((name, state.st_size, state.st_mtime_ns))
                else:
                    found.odd.append((folder.below(name), Odd.SPECIAL))
            except OSError:
                found.odd.append((folder.below(name), Odd.DANGLING))
    files.sort()
    folder.files.extend([name for name, _, _ in files])
    folder.stamps.extend(_flat(files))
    return folder, sorted(below, reverse=True), sorted(links)


def _flat(files: Iterable[tuple[str, int, int]]) -> Iterable[int]:
    for _, size, changed in files:
        yield size
        yield changed
