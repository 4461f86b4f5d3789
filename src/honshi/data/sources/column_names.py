"""Which column of a table is the path, the label, the part and the group: by its name, or as one has said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from honshi.data.sources.classes import some
from honshi.errors import DataRefusedError, RequestError
from honshi.messages import Message

ROLES = ("path", "label", "split", "group")
# In small letters, with "_" for a space and a hyphen.
RECOGNISED: dict[str, tuple[str, ...]] = {
    "path": (
        *("path", "paths", "file", "files", "filename", "file_name", "filepath", "file_path", "image", "images"),
        *("image_path", "image_file", "image_filename", "image_name", "imagepath", "img", "img_path", "img_name"),
        *("picture", "picture_path", "photo", "photo_path", "画像", "画像名", "画像ファイル", "ファイル", "ファイル名"),
        "パス",
    ),
    "label": (
        *("label", "labels", "class", "classes", "class_name", "classname", "label_name", "category", "target", "y"),
        *("ラベル", "クラス", "分類", "正解", "カテゴリ"),
    ),
    "split": ("split", "part", "partition", "set", "subset", "data_set", "data_split", "分割"),
    "group": (
        *("group", "group_id", "groups", "patient", "patient_id", "subject", "subject_id", "source", "session"),
        *("グループ", "患者", "患者id"),
    ),
}


@dataclass(frozen=True)
class Picked:
    """Which columns of a table are used, counted from 0.

    Attributes:
        path, label: always there.
        split, group: None where there is none.
        header: whether the first row names the columns.
    """

    path: int
    label: int
    split: int | None
    group: int | None
    header: bool

    @property
    def least(self) -> int:
        """How many fields a row has at least."""
        return max(place for place in (self.path, self.label, self.split, self.group) if place is not None) + 1


def role_of(name: str) -> str | None:
    """What a column of that name is; None if its name does not say."""
    plain = re.sub(r"[\s-]+", "_", name.strip().lower())
    return next((role for role, names in RECOGNISED.items() if plain in names), None)


def is_header(row: Sequence[str]) -> bool:
    """Whether a row names a column of paths and one of labels."""
    roles = set(map(role_of, row))
    return "path" in roles and "label" in roles


def pick(
    first: Sequence[Sequence[str]],
    wanted: Mapping[str, str | int] | None,
    is_there: Callable[[str], bool],
    where: str,
    *,
    named: bool = False,
) -> Picked:
    """Which columns are the path, the label, the part and the group.

    Args:
        first: the first rows; there is one.
        wanted: as one has said: for a role the column's name, or its number from 1.
        is_there: whether a field is the path of a file.
        where: the table, for errors.
        named: the first row are the names of the columns for certain.

    Raises:
        DataRefusedError: it is not certain which they are, or one is missing.
        RequestError: what was said cannot be.
    """
    if wanted:
        return _as_said(first, wanted, is_there, where, named)
    roles = [role_of(name) for name in first[0]]
    if named or is_header(first[0]):
        return _by_role(first[0], roles, where)
    # Without names only one thing is certain: of two columns one has paths of files that are there.
    width = len(first[0])
    paths = [place for place in range(width) if all(len(row) == width and is_there(row[place]) for row in first)]
    if width == 2 and len(paths) == 1:
        return Picked(paths[0], 1 - paths[0], None, None, header=False)
    raise DataRefusedError(
        "{path}: it is not certain which columns hold the paths and the labels; the first row is {row}. Say which: "
        "--columns path=NAME,label=NAME, or --columns path=1,label=2 by number.",
        path=where,
        row=some([repr(field) for field in first[0]]),
    )


def _by_role(names: Sequence[str], roles: Sequence[str | None], where: str) -> Picked:
    places: dict[str, int] = {}
    for role in ROLES:
        found = [place for place, each in enumerate(roles) if each == role]
        if len(found) > 1 or (not found and role in ("path", "label")):
            raise DataRefusedError(
                "{path}: {problem}; the columns are {names}. Say which it is: --columns path=NAME,label=NAME.",
                path=where,
                problem=Message(
                    "both {first!r} and {second!r} may be the column of the {role}",
                    first=names[found[0]],
                    second=names[found[1]],
                    role=role,
                )
                if found
                else Message("there is no column of the {role}", role=role),
                names=some(names),
            )
        if found:
            places[role] = found[0]
    return Picked(places["path"], places["label"], places.get("split"), places.get("group"), header=True)


def _as_said(
    first: Sequence[Sequence[str]],
    wanted: Mapping[str, str | int],
    is_there: Callable[[str], bool],
    where: str,
    named: bool,
) -> Picked:
    if unknown := [role for role in wanted if role not in ROLES]:
        raise RequestError(
            "--columns says what is the {roles}; there is no {unknown!r}.", roles=", ".join(ROLES), unknown=unknown[0]
        )
    names = [name.strip() for name in first[0]]
    by_name = any(_number(column) is None or str(column) in names for column in wanted.values())
    places: dict[str, int] = {}
    for role, column in wanted.items():
        number = _number(column)
        if str(column) in names:
            if names.count(str(column)) > 1:
                raise DataRefusedError(
                    "{path}: there are two columns {name!r}. Say which by its number.", path=where, name=column
                )
            places[role] = names.index(str(column))
        elif number is not None and 1 <= number <= len(names):
            places[role] = number - 1
        else:
            raise DataRefusedError(
                "{path}: there is no column {name!r}; the columns are {names}.",
                path=where,
                name=column,
                names=some(names),
            )
    for role in ("path", "label"):
        if role not in places:
            found = [place for place, name in enumerate(names) if role_of(name) == role and (named or is_header(names))]
            if len(found) != 1:
                raise RequestError(
                    "{path}: --columns says nothing of the {role}: write {role}=NAME too. The columns are {names}.",
                    path=where,
                    role=role,
                    names=some(names),
                )
            places[role] = found[0]
    # By numbers alone: a first row whose path is no file has the names of the columns.
    header = named or by_name or is_header(names) or not is_there(first[0][places["path"]])
    return Picked(places["path"], places["label"], places.get("split"), places.get("group"), header)


def _number(column: str | int) -> int | None:
    text = str(column)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
