"""Data sets of the Hugging Face Hub, through the library datasets: ``hf:ORG/NAME``, or ``hf:FOLDER`` of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from honshi.data.listing import TEST, UNLABELLED, Listing, Raw, Skipped
from honshi.data.sources.build import NO_LABEL, Columns, listed, no_exam
from honshi.data.sources.classes import some
from honshi.data.sources.column_names import role_of
from honshi.data.sources.part_names import part_of
from honshi.errors import DataError, DataNotFoundError, DataRefusedError, ImageError, RequestError
from honshi.messages import Message, first_line
from honshi.recipe.frozen import HUB


def open_hub(name: str, wanted: Mapping[str, str | int] | None) -> Listing:
    """The pictures of a data set of the Hub, of all splits that are named as parts are.

    Args:
        name: with the ``hf:`` in front.
        wanted: which column is the picture (``path``), the label and the group, as one has said.

    Raises:
        DataNotFoundError: there is no such data set.
        DataRefusedError: it has no pictures with labels, or they do not hold together.
        DataError: the library is not installed, or the data set cannot be fetched.
        RequestError: there is no column that was named.
    """
    columns, parts, unlabelled = Columns(), [], 0
    for split, rows in _load(name).items():
        part = part_of(split)
        if part is None:
            columns.notes.append(_no_part(split, len(rows)))
            continue
        picture, label, group = _roles(name, rows.features, wanted)
        labels = _labels(rows, label)
        without = labels.count("")
        kept: Sequence[int] = range(len(rows))
        if part == TEST and without == len(labels):
            unlabelled += without
        elif without:
            kept = [place for place, text in enumerate(labels) if text]
            columns.skipped.extend(
                Skipped(f"{split}[{place}]", NO_LABEL) for place, text in enumerate(labels) if not text
            )
        parts.append(Part(len(columns.names), _pictures(rows, picture), picture, kept))
        columns.names.extend(f"{split}[{place}]" for place in kept)
        columns.labels.extend(columns.code(labels[place]) if labels[place] else UNLABELLED for place in kept)
        columns.parts.extend([part] * len(kept))
        columns.stamps.extend(_stamp(rows) * len(kept))
        if group is not None:
            groups = rows[group][:]
            columns.groups = columns.groups or []
            columns.groups.extend("" if groups[place] is None else str(groups[place]) for place in kept)
    if columns.groups is not None and len(columns.groups) != len(columns.names):
        raise DataRefusedError("{name}: only some of its splits have a column of groups.", name=name)
    if unlabelled:
        columns.notes.append(no_exam(unlabelled))
    kind = Message("a data set of the Hugging Face Hub")
    title = Path(name.removeprefix(HUB)).name
    return listed(columns, name=name, title=title, kind=kind, opener=Rows(tuple(parts)))


@dataclass(frozen=True, eq=False)
class Part:
    """Pictures that are rows of one split.

    Attributes:
        first: the place of the first one.
        rows: of the split, as the library holds them: encoded, and read from its own file as they are asked for.
        column: with the pictures.
        kept: the rows that are taken.
    """

    first: int
    rows: Any
    column: str
    kept: Sequence[int]


@dataclass(frozen=True, eq=False)
class Rows:
    """Opens pictures that are rows of splits."""

    parts: tuple[Part, ...]

    def __call__(self, place: int) -> Raw:
        part = next(part for part in reversed(self.parts) if part.first <= place)
        held = part.rows[part.kept[place - part.first]][part.column]
        if held is None:
            raise ImageError("The row has no picture.")
        return held["bytes"] if held["bytes"] is not None else Path(held["path"])


def _no_part(split: str, count: int) -> Message:
    return Message(
        "The {count:,} rows of {split!r} are not read: that is no part of a data set.", count=count, split=split
    )


def _load(name: str) -> Mapping[str, Any]:
    """The library's splits by their names."""
    if find_spec("datasets") is None:
        raise DataError(
            "{name}: data sets of the Hugging Face Hub are read by the library datasets: pip install 'honshi[hub]'.",
            name=name,
        )
    if name == HUB:
        raise DataNotFoundError("{name} wants the name of a data set behind it: hf:ORG/NAME.", name=name)
    import datasets

    try:
        found = datasets.load_dataset(name.removeprefix(HUB))
    except datasets.exceptions.DatasetNotFoundError as error:
        raise DataNotFoundError(
            "{name}: the Hugging Face Hub has no such data set, and nothing lies at that path: {problem}",
            name=name,
            problem=first_line(error),
        ) from error
    # What goes wrong in a library that fetches and converts is of many kinds, and none of them is honshi's to mend.
    except Exception as error:
        raise DataError(
            "{name}: the library datasets cannot read it: {problem}", name=name, problem=first_line(_root(error))
        ) from error
    return {str(split): rows for split, rows in found.items()}


def _root(error: BaseException) -> BaseException:
    """What an error came from in the first place, which says more than the last that was raised for it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _roles(
    name: str, features: Mapping[str, Any], wanted: Mapping[str, str | int] | None
) -> tuple[str, str, str | None]:
    """The columns of the picture, the label and the group.

    A picture is told by its type; a label by its name, or by its type where one column only has that.
    """
    import datasets

    names = list(features)
    said = {role: _named(name, names, column) for role, column in (wanted or {}).items()}
    if "split" in said:
        raise RequestError("{name} has splits of its own: leave `split` out of --columns.", name=name)
    of_type = {
        "path": [column for column in names if isinstance(features[column], datasets.Image)],
        "label": [column for column in names if isinstance(features[column], datasets.ClassLabel)],
        "group": [],
    }
    found: dict[str, str | None] = {"group": None}
    for role, typed in of_type.items():
        called = [column for column in names if role_of(column) == role and role != "path"]
        fitting = [said[role]] if role in said else called if len(called) == 1 else typed
        if role == "path":
            fitting = [column for column in fitting if column in typed]
        if len(fitting) == 1:
            found[role] = fitting[0]
        elif role != "group":
            raise DataRefusedError(
                "{name}: it is not certain which column is the {role}; the columns are {columns}. Say which: --columns "
                "path=NAME,label=NAME.",
                name=name,
                role=role,
                columns=some([f"{column} ({type(features[column]).__name__})" for column in names]),
            )
    return str(found["path"]), str(found["label"]), found["group"]


def _named(name: str, names: Sequence[str], column: str | int) -> str:
    if str(column) in names:
        return str(column)
    if str(column).isdigit() and 1 <= int(column) <= len(names):
        return names[int(column) - 1]
    raise RequestError(
        "{name}: there is no column {column!r}; the columns are {names}.", name=name, column=column, names=some(names)
    )


def _labels(rows: Any, column: str) -> list[str]:
    """Each label as text, the empty one where there is none."""
    values = rows[column][:]
    classes = getattr(rows.features[column], "names", None)
    if classes is not None:
        return ["" if value is None or value < 0 else str(classes[value]) for value in values]
    return ["" if value is None else str(value).strip() for value in values]


def _pictures(rows: Any, column: str) -> Any:
    """The column alone, with its pictures as they are encoded."""
    import datasets

    return rows.select_columns([column]).cast_column(column, datasets.Image(decode=False))


def _stamp(rows: Any) -> tuple[int, int]:
    """Size in bytes and time of change of what the library has made of a split; another content is another file."""
    states = [Path(file["filename"]).stat() for file in rows.cache_files]
    return sum(state.st_size for state in states), max((state.st_mtime_ns for state in states), default=0)
