"""What lies in a folder, or in an archive: class folders, tables or arrays, told by what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from honshi.data.listing import TRAIN, Listing
from honshi.data.sources.arrays import open_array_folder
from honshi.data.sources.build import Columns, listed
from honshi.data.sources.class_folders import (
    Layout,
    divided,
    has_pictures,
    is_divided,
    layout,
    pictures_in,
    undivided,
    without_runs,
)
from honshi.data.sources.part_names import leading_part, part_of
from honshi.data.sources.tables import SUFFIXES, has_known_columns, open_tables
from honshi.data.sources.tree import FolderTree, Tree
from honshi.errors import DataNotFoundError, DataRefusedError, RequestError
from honshi.messages import Message
from honshi.pictures.formats import readable

# So many kinds of other files are named where nothing was found.
KINDS_SHOWN = 5


def open_folder(path: Path, columns: Mapping[str, str | int] | None) -> Listing:
    """What lies in a folder.

    Raises:
        DataNotFoundError: nothing of a known kind does.
        DataRefusedError: it does not hold together.
    """
    try:
        return open_tree(FolderTree(path), columns)
    except DataNotFoundError:
        arrays = open_array_folder(path)
        if arrays is None:
            raise
        return arrays


def open_tree(tree: Tree, columns: Mapping[str, str | int] | None) -> Listing:
    """What lies in a folder or an archive.

    Raises:
        DataNotFoundError: nothing of a known kind does.
        DataRefusedError: it does not hold together.
        RequestError: columns were named, and there is no table.
    """
    found, notes = _inner(tree)
    tables = _tables(found)
    if tables and (columns or not (is_divided(found) or len(_class_folders(tree, found)) > 1)):
        return open_tables(tree, tables, columns, notes)
    if columns:
        raise RequestError("{path}: --columns is for tables, and there is none here.", path=tree.path)
    if is_divided(found):
        kind = Message("a folder of train, validation and test folders")
        return _listed(tree, divided(tree, found), kind, [*notes, *_not_read(tables)])
    if has_pictures(tree, found):
        listing = _listed(tree, undivided(tree, found), Message("a folder of class folders"), notes)
        meant = {name: part for name, part in tables.items() if has_known_columns(tree, name)}
        if meant and not _agree(listing, open_tables(tree, meant, None)):
            raise DataRefusedError(
                "{path}: here are class folders, and the table {table!r}, which gives other labels. To use the table, "
                "give it itself as data: --data {full}. To use the folders, move it elsewhere.",
                path=tree.path,
                table=next(iter(meant)),
                full=tree.path / next(iter(meant)),
            )
        return replace(listing, notes=(*listing.notes, *_not_read(tables)))
    raise _nothing(tree)


def _own_pictures(tree: Tree, found: Layout) -> bool:
    """Whether pictures lie directly in a folder."""
    return any(pictures_in(tree, [found.here]))


def _tables(found: Layout) -> dict[str, int | None]:
    """The tables that lie directly in a folder, and for each the part that it is: several of them are parts."""
    names = [name for name in found.here.files if name.lower().endswith(SUFFIXES)]
    by_part = {name: leading_part(PurePosixPath(name).stem) for name in names}
    if TRAIN in by_part.values():
        return {found.here.below(name): part for name, part in by_part.items() if part is not None}
    return {found.here.below(name): None for name in names} if len(names) == 1 else {}


def _class_folders(tree: Tree, found: Layout) -> list[str]:
    """The folders in it that hold pictures."""
    return [name for name, folders in found.inside.items() if any(pictures_in(tree, folders))]


def _agree(folders: Listing, table: Listing) -> bool:
    """Whether a table gives the pictures that it names the classes of their folders."""
    classes = dict(zip(folders.names, folders.labels.tolist(), strict=True))
    return all(
        name in classes and folders.classes[classes[name]] == table.classes[label]
        for name, label in zip(table.names, table.labels.tolist(), strict=True)
    )


def _not_read(tables: Mapping[str, int | None]) -> list[Message]:
    return [
        Message("The table {name!r} lies there too and is not read: to use it, give it itself as data.", name=name)
        for name in tables
    ]


def _inner(tree: Tree) -> tuple[Layout, list[Message]]:
    """The layout of the folder that holds the data: the root, or the only one in it, at whatever depth."""
    notes: list[Message] = []
    found, passed = without_runs(layout(tree.folders, ""))
    while len(found.inside) == 1 and not _tables(found) and not _own_pictures(tree, found):
        ((name, folders),) = found.inside.items()
        inside, passed_inside = without_runs(layout(folders, found.here.below(name)))
        if part_of(name) is not None or _own_pictures(tree, inside):
            break
        if not inside.inside and not _tables(inside):
            break
        found, passed = inside, passed_inside
        notes = [Message("The data are in the folder {name!r}.", name=found.here.path)]
    return found, [*notes, *passed]


def _listed(tree: Tree, columns: Columns, kind: Message, notes: list[Message]) -> Listing:
    columns.skipped[:0] = tree.skipped
    columns.notes[:0] = notes
    return listed(columns, name=str(tree.path), title=tree.path.name, kind=kind, opener=tree.opener(columns.names))


def _nothing(tree: Tree) -> DataNotFoundError:
    """What is there, and what was expected."""
    files = [folder.below(name) for folder in tree.folders for name in folder.files]
    pictures = sum(map(tree.is_picture, files))
    kinds = Counter(PurePosixPath(name).suffix.lower() for name in files if not tree.is_picture(name))
    shown = [f"{count:,} {suffix or '(no suffix)'}" for suffix, count in kinds.most_common(KINDS_SHOWN)]
    return DataNotFoundError(
        "{path}: nothing here says what the pictures are of. There are {pictures:,} pictures, all of them in no class "
        "folder, {folders:,} folders and {others:,} other files{kinds}. Expected is a folder for each class with its "
        "pictures (cats/1.jpg, dogs/2.jpg), folders train, val and test that hold such folders, a table with the path "
        "and the label of each picture, or arrays (.npz). Pictures are {formats}.",
        path=tree.path,
        pictures=pictures,
        folders=len(tree.folders) - 1,
        others=len(files) - pictures,
        kinds=Message(" ({shown})", shown=", ".join(shown)) if shown else "",
        formats=", ".join(readable()),
    )
