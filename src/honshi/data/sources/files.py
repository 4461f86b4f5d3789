"""What a single file is: a table, an array file or an archive, told by its first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from honshi.data import idx
from honshi.data.listing import Listing
from honshi.data.sources.archives import open_archive
from honshi.data.sources.arrays import SUFFIXES, is_array_file, open_arrays
from honshi.data.sources.folder import open_folder, open_tree
from honshi.data.sources.named import Source, from_idx
from honshi.data.sources.tables import open_tables
from honshi.data.sources.tree import FolderTree
from honshi.errors import DataNotFoundError
from honshi.files import is_file
from honshi.pictures.formats import HEAD, begins_as_picture


def open_file(path: Path, columns: Mapping[str, str | int] | None, gaps: bool) -> Source | Listing:
    """What a file holds; the arguments are those of `honshi.data.sources.open_source`.

    Raises:
        DataNotFoundError: it is nothing that holds a data set.
        DataRefusedError: it does not hold together.
    """
    if not is_file(path):
        raise DataNotFoundError(
            "{path}: this is neither a file nor a folder but a pipe, a device or a link that leads nowhere.", path=path
        )
    if begins_as_picture(path):
        raise DataNotFoundError(
            "{path}: this is a single picture. Data are a folder, a table, an array file or an archive with many of "
            "them; to ask a trained model about one: honshi predict RUN {path}",
            path=path,
        )
    with path.open("rb") as file:
        head = file.read(HEAD)
    if is_array_file(head, path.name):
        return open_arrays(path)
    archive = open_archive(path)
    if archive is not None:
        folder = archive.taken_out(_is_idx)
        if folder is not None and idx.looks_like_folder(folder):
            return from_idx(str(path), path.name, folder, None, gaps)
        folder = archive.taken_out(_is_array)
        return open_tree(archive, columns) if folder is None else _renamed(open_folder(folder, columns), path)
    return open_tables(FolderTree(path.parent), {path.name: None}, columns)


def _is_idx(name: str) -> bool:
    return "idx" in name.lower() and "ubyte" in name.lower()


def _is_array(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _renamed(listing: Listing, path: Path) -> Listing:
    """A listing by the name of the archive that it was taken out of."""
    return replace(listing, name=str(path), title=path.name)
