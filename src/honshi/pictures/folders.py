"""The pictures of a folder, and what else is in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from honshi.errors import DataNotFoundError
from honshi.pictures.formats import begins_as_picture, is_called_picture, readable

# What systems leave in folders for themselves, beside what begins with a dot.
_LEFT_BY_SYSTEMS = {"__macosx", "thumbs.db", "desktop.ini"}


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
            for file in sorted(_below(path, frozenset())):
                (found.pictures if _to_be_tried(file) else found.others).append(file)
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


def _below(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """All in a folder but its folders, and folders that cannot be looked into."""
    here = folder.stat()
    above |= {(here.st_dev, here.st_ino)}
    try:
        inside = list(folder.iterdir())
    except OSError:
        yield folder
        return
    for path in inside:
        if path.name.startswith(".") or path.name.lower() in _LEFT_BY_SYSTEMS:
            continue
        if not path.is_dir():
            yield path
        # A link to a folder that holds it would lead round for ever.
        elif (path.stat().st_dev, path.stat().st_ino) not in above:
            yield from _below(path, above)


def _to_be_tried(file: Path) -> bool:
    """Whether it is a picture or calls itself one; or a folder that could not be looked into, which is to be told."""
    return is_called_picture(file) or file.is_dir() or (file.is_file() and begins_as_picture(file))
