"""A folder of class folders, or of train, validation and test folders that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from honshi.data.listing import TEST, TRAIN, UNDIVIDED, UNLABELLED, Skipped
from honshi.data.sources.build import Columns
from honshi.data.sources.classes import some
from honshi.data.sources.part_names import PART_NAMES, part_of
from honshi.data.sources.tree import Tree
from honshi.errors import DataRefusedError
from honshi.messages import Message
from honshi.pictures.folders import Folder

NO_PICTURE = Message("it is not a picture of a format that is read")
IN_NO_CLASS = Message("it lies in no class folder")
IN_NO_PART = Message("it lies beside the folders for training, validation and test")
# Where honshi and others keep their trainings.
RUNS = "runs"


@dataclass(frozen=True)
class Layout:
    """What lies in a folder.

    Attributes:
        here: its own files.
        inside: for each folder in it, that folder and all below.
    """

    here: Folder
    inside: dict[str, list[Folder]]


def layout(folders: Sequence[Folder], base: str) -> Layout:
    """What lies in the folder of that path among all folders below a root."""
    start = len(base) + 1 if base else 0
    here, inside = Folder(base), dict[str, list[Folder]]()
    for folder in folders:
        if folder.path == base:
            here = folder
        elif not base or folder.path.startswith(base + "/"):
            inside.setdefault(folder.path[start:].partition("/")[0], []).append(folder)
    return Layout(here, inside)


def is_divided(found: Layout) -> bool:
    """Whether there is a folder for training with folders in it."""
    return any(part_of(name) == TRAIN and len(folders) > 1 for name, folders in found.inside.items())


def divided(tree: Tree, found: Layout) -> Columns:
    """The pictures of train, validation and test folders, each of class folders.

    Raises:
        DataRefusedError: a part is there twice.
    """
    columns = Columns()
    by_part: dict[int, str] = {}
    for name in found.inside:
        part = part_of(name)
        if part is not None and by_part.setdefault(part, name) != name:
            raise DataRefusedError(
                "{path}: the folders {first!r} and {second!r} are both the {part} part. Leave one of them there.",
                path=tree.path,
                first=by_part[part],
                second=name,
                part=PART_NAMES[part][0],
            )
    _pass_over(tree, [found.here], IN_NO_PART, columns)
    for name, folders in found.inside.items():
        part = part_of(name)
        if part is None:
            _pass_over(tree, folders, IN_NO_PART, columns)
            continue
        inside = layout(folders, found.here.below(name))
        if part == TEST and not has_pictures(tree, inside):
            _add_unlabelled(tree, inside.here, columns)
        else:
            _add_classes(tree, inside, part, columns)
    return columns


def undivided(tree: Tree, found: Layout) -> Columns:
    """The pictures of class folders.

    Raises:
        DataRefusedError: one of them is called as a part is, and may be either.
    """
    columns = Columns()
    named = [name for name, folders in found.inside.items() if part_of(name) is not None and _pictures(tree, folders)]
    if named:
        raise DataRefusedError(
            "{path}: is the folder {name!r} a class, or a part of the data? If it is a part, put the class folders for "
            "training into a folder 'train' beside it; if it is a class, give it another name.",
            path=tree.path,
            name=named[0],
        )
    _add_classes(tree, found, UNDIVIDED, columns)
    return columns


def has_pictures(tree: Tree, found: Layout) -> bool:
    """Whether a folder in it holds a picture."""
    return any(_pictures(tree, folders) for folders in found.inside.values())


def without_runs(found: Layout) -> tuple[Layout, list[Message]]:
    """A layout without the folder in which trainings are kept, and what is said of that."""
    if RUNS not in found.inside or len(found.inside) == 1:
        return found, []
    inside = {name: folders for name, folders in found.inside.items() if name != RUNS}
    note = Message("The folder {name!r} is passed over: trainings are kept in folders of that name.", name=RUNS)
    return Layout(found.here, inside), [note]


def _add_classes(tree: Tree, found: Layout, part: int, columns: Columns) -> None:
    """Add what lies in class folders, as of one part."""
    _pass_over(tree, [found.here], IN_NO_CLASS, columns)
    nested = []
    for name, folders in found.inside.items():
        before = len(columns.names)
        code = columns.code(name)
        for folder in folders:
            pictures = _add(tree, folder, columns)
            if pictures and folder.path != found.here.below(name):
                nested.append(folder.path)
        columns.labels.extend([code] * (len(columns.names) - before))
        columns.parts.extend([part] * (len(columns.names) - before))
        if len(columns.names) == before and part in (UNDIVIDED, TRAIN):
            columns.empty.append(name)
    if nested:
        columns.notes.append(
            Message(
                "Folders within class folders belong to the class whose folder they are in: {names}.",
                names=some(nested),
            )
        )


def _add_unlabelled(tree: Tree, folder: Folder, columns: Columns) -> None:
    """Add the pictures of a test folder without class folders."""
    count = _add(tree, folder, columns)
    columns.labels.extend([UNLABELLED] * count)
    columns.parts.extend([TEST] * count)
    if count:
        columns.notes.append(
            Message(
                "The {count:,} pictures in {name!r} have no labels: they can be answered by `honshi predict`, and no "
                "exam can be held on them.",
                count=count,
                name=folder.path,
            )
        )


def _add(tree: Tree, folder: Folder, columns: Columns) -> int:
    """Add names and stamps of the pictures that lie directly in a folder; how many there were."""
    start = f"{folder.path}/" if folder.path else ""
    pictures = [tree.is_picture(start + name) for name in folder.files]
    if all(pictures):
        columns.names.extend([start + name for name in folder.files])
        columns.stamps.extend(folder.stamps)
        return len(pictures)
    for place, (name, is_picture) in enumerate(zip(folder.files, pictures, strict=True)):
        if is_picture:
            columns.names.append(start + name)
            columns.stamps.extend(folder.stamps[2 * place : 2 * place + 2])
        else:
            columns.skipped.append(Skipped(start + name, NO_PICTURE))
    return sum(pictures)


def _pass_over(tree: Tree, folders: Sequence[Folder], why: Message, columns: Columns) -> None:
    """List the files of folders as passed over, with the reason for those that are pictures."""
    for folder in folders:
        for name in map(folder.below, folder.files):
            columns.skipped.append(Skipped(name, why if tree.is_picture(name) else NO_PICTURE))


def _pictures(tree: Tree, folders: Sequence[Folder]) -> bool:
    return any(True for _ in pictures_in(tree, folders))


def pictures_in(tree: Tree, folders: Sequence[Folder]) -> Iterator[str]:
    """The names of the pictures in some folders, one after the other."""
    for folder in folders:
        yield from (name for name in map(folder.below, folder.files) if tree.is_picture(name))
