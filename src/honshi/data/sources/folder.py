"""What lies in a folder, or in an archive: class folders, tables or arrays, told by what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from honshi.data.listing import Listing
from honshi.data.sources.build import Columns, listed
from honshi.data.sources.class_folders import (
    Layout,
    divided,
    has_pictures,
    is_divided,
    layout,
    undivided,
    without_runs,
)
from honshi.data.sources.part_names import part_of
from honshi.data.sources.tree import FolderTree, Tree
from honshi.errors import DataNotFoundError
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
    return open_tree(FolderTree(path), columns)


def open_tree(tree: Tree, columns: Mapping[str, str | int] | None) -> Listing:
    """What lies in a folder or an archive.

    Raises:
        DataNotFoundError: nothing of a known kind does.
        DataRefusedError: it does not hold together.
    """
    found, notes = _inner(tree)
    if is_divided(found):
        kind = Message("a folder of train, validation and test folders")
        return _listed(tree, divided(tree, found), kind, notes)
    if has_pictures(tree, found):
        return _listed(tree, undivided(tree, found), Message("a folder of class folders"), notes)
    raise _nothing(tree)


def _inner(tree: Tree) -> tuple[Layout, list[Message]]:
    """The layout of the folder that holds the data: the root, or the only one in it, at whatever depth."""
    notes: list[Message] = []
    found, passed = without_runs(layout(tree.folders, ""))
    while len(found.inside) == 1 and not any(tree.is_picture(found.here.below(name)) for name in found.here.files):
        ((name, folders),) = found.inside.items()
        inside, passed_inside = without_runs(layout(folders, found.here.below(name)))
        if part_of(name) is not None or any(map(tree.is_picture, map(inside.here.below, inside.here.files))):
            break
        if not inside.inside:
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
