"""From what ``--data`` says to what is there: a data set with a name, or whatever lies at a path."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path

from honshi.data import idx
from honshi.data.listing import Listing
from honshi.data.sources.build import grouped
from honshi.data.sources.files import open_file
from honshi.data.sources.folder import open_folder
from honshi.data.sources.hub import open_hub
from honshi.data.sources.named import NAMED, Source, from_idx
from honshi.errors import DataNotFoundError, RequestError
from honshi.files import is_folder
from honshi.messages import Message
from honshi.recipe.frozen import HUB

IDX = "idx:"


def open_source(
    name: str | PathLike[str],
    *,
    columns: Mapping[str, str | int] | None = None,
    group: str | None = None,
    gaps: bool = False,
) -> Source | Listing:
    """Find what ``--data`` names.

    Args:
        name: ``mnist``, ``fashion-mnist``, a path, ``idx:FOLDER`` for a folder with four IDX files, or ``hf:NAME`` for
            a data set of Hugging Face.
        columns: of a table, which column is the path, label, split and group: by its name, or its number from 1.
        group: a regular expression for names of pictures; what its brackets enclose, or all that it matches, is the
            group of a picture.
        gaps: of IDX files, make a class of each number below the largest label, also of one that no image has.

    Returns:
        For IDX files, the training images and the sealed test images; for all others, what there is to be read.

    Raises:
        DataNotFoundError: there is no such data set or path, or nothing of a known kind lies there.
        DataRefusedError: what lies there does not hold together.
        DataError: its files are damaged or could not be fetched.
        RequestError: columns or group mean nothing for it.
    """
    found = _open(name, columns, gaps)
    if isinstance(found, Source):
        if columns or group is not None:
            raise RequestError(
                "{name} has neither columns nor names of pictures: leave out --columns and --group.", name=found.title
            )
        return found
    if group is None:
        return found
    groups, notes = grouped(found.names, group)
    return replace(found, groups=groups, notes=(*found.notes, *notes))


def open_published(name: str | PathLike[str], *, gaps: bool = False) -> Source:
    """Read a data set that has a name or lies in four IDX files.

    Args:
        name, gaps: as for `open_source`.

    Raises:
        DataNotFoundError, DataError: as `open_source`, and where it is of another kind.
    """
    found = open_source(name, gaps=gaps)
    if isinstance(found, Source):
        return found
    raise DataNotFoundError(
        "{name}: four IDX files are wanted here, and this is {kind}.", name=found.name, kind=found.kind
    )


def _open(name: str | PathLike[str], columns: Mapping[str, str | int] | None, gaps: bool) -> Source | Listing:
    if isinstance(name, PathLike):
        name = str(Path(name).absolute())  # which no data set's name can be taken for
    if not isinstance(name, str):
        raise DataNotFoundError(
            "A data set has a name, one of {names}, or it is a path; {name!r} is neither.",
            name=name,
            names=", ".join(NAMED),
        )
    name = lasting_name(name)
    if name.startswith(IDX):
        folder = Path(name.removeprefix(IDX))
        return from_idx(name, f"{IDX}{folder.name}", folder, None, gaps)
    if name.startswith(HUB):
        return open_hub(name, columns)
    if name in NAMED:
        find_folder, classes = NAMED[name]
        return from_idx(name, name, find_folder(), classes, gaps)
    path = Path(name)
    if name and is_folder(path):
        if idx.looks_like_folder(path):
            return from_idx(name, path.name, path, None, gaps)
        return open_folder(path, columns)
    if name and os.path.lexists(path):
        return open_file(path, columns, gaps)
    raise DataNotFoundError(
        "There is no data set called {name!r}, and nothing lies at that path.{hint} --data takes {names}, or the path "
        "of a folder, a table, an array file or an archive.",
        name=name,
        hint=_hint(name),
        names=", ".join(NAMED),
    )


def lasting_name(name: str) -> str:
    """The same data set by a name that holds from every working directory: paths are absolute in it.

    Raises:
        DataNotFoundError: no folder can have that name.
    """
    if name in NAMED:
        return name
    prefix = next((prefix for prefix in (IDX, HUB) if name.startswith(prefix)), "")
    try:
        bare = name.removeprefix(prefix)
        path = Path(bare).expanduser()
        # What is at no path may be the name of a data set, misspelt.
        is_path = prefix == IDX or (bare and os.path.lexists(path))
        return f"{prefix}{path.resolve()}" if is_path else name
    except (OSError, ValueError, RuntimeError) as error:
        if prefix != IDX:
            return name
        problem = error.strerror if isinstance(error, OSError) else error
        raise DataNotFoundError("{name!r}: there is no such folder ({problem}).", name=name, problem=problem) from error


def _hint(name: str) -> Message | str:
    close = difflib.get_close_matches(name, NAMED, n=1)
    return Message(" Did you mean {close!r}?", close=close[0]) if close else ""
