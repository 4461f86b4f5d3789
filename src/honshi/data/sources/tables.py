"""Tables with a path and a label for each picture, and maybe its part and its group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import IO

from honshi.data.listing import TEST, UNDIVIDED, UNLABELLED, Listing, Skipped
from honshi.data.sources.build import NO_LABEL, Columns, listed, no_exam
from honshi.data.sources.column_names import Picked, is_header, pick
from honshi.data.sources.parquet import MAGIC, parquet_rows
from honshi.data.sources.part_names import PART_NAMES, part_of
from honshi.data.sources.paths import Paths, refused
from honshi.data.sources.text_tables import SAMPLE_ROWS, how_written, rows
from honshi.data.sources.tree import Tree
from honshi.errors import DataRefusedError
from honshi.messages import Message

SUFFIXES = (".csv", ".tsv", ".tab", ".parquet")

NO_FILE = Message("the table names it, and there is no such file")
NO_PATH = Message("the row has no path")

Row = tuple[int, Sequence[str]]


@dataclass
class Reading:
    """What has been read of tables so far.

    Attributes:
        columns: the pictures.
        lines: by the name of a picture, the table and the line that named it first.
        unlabelled: pictures to be tested that have no label: name, stamp, group.
        repeated: rows that say again what another one has said.
        grouped: whether a table has a column of groups.
    """

    columns: Columns = field(default_factory=Columns)
    lines: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    unlabelled: list[tuple[str, tuple[int, int], str]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    repeated: int = 0
    grouped: bool = False


def open_tables(
    tree: Tree, tables: Mapping[str, int | None], wanted: Mapping[str, str | int] | None, notes: Sequence[Message] = ()
) -> Listing:
    """The pictures that tables name.

    Args:
        tree: where they lie.
        tables: for the name of each the part that all of it is, or None.
        wanted: which columns are which, as one has said.
        notes: to be said as well.

    Raises:
        DataRefusedError: a table does not hold together, or leads out of its folder.
    """
    reading = Reading()
    reading.columns.notes.extend(notes)
    for name, part in tables.items():
        with tree.opened(name) as stream:
            where = str(tree.path / name)
            found, named, note = _rows_of(stream, where)
            if note is not None:
                reading.columns.notes.append(note)
            _read(tree, name, found, wanted, part, reading, named=named)
    columns = _finished(reading)
    if not columns.names and columns.skipped:
        raise DataRefusedError(
            "{path}: none of the {count:,} rows names a picture that is there; the first is {first!r}: {why}. Paths "
            "are taken from the table's folder.",
            path=tree.path / next(iter(tables)),
            count=len(columns.skipped),
            first=columns.skipped[0].name,
            why=columns.skipped[0].why,
        )
    path = tree.path / next(iter(tables)) if len(tables) == 1 and tree.file("") is not None else tree.path
    kind = Message("a table of paths and labels") if len(tables) == 1 else Message("tables of paths and labels")
    return listed(columns, name=str(path), title=path.name, kind=kind, opener=tree.opener(columns.names))


def has_known_columns(tree: Tree, table: str) -> bool:
    """Whether the first row of a table names a column of paths and one of labels.

    Raises:
        DataRefusedError: it cannot be read.
    """
    with tree.opened(table) as stream:
        found, _, _ = _rows_of(stream, str(tree.path / table))
        return any(is_header(row) for _, row in islice(found, 1))


def _rows_of(stream: IO[bytes], where: str) -> tuple[Iterator[Row], bool, Message | None]:
    """The rows of a table of whatever kind; whether the first are the names of its columns for certain; what is worth
    saying of how it is written."""
    is_parquet = stream.read(len(MAGIC)) == MAGIC
    stream.seek(0)
    if is_parquet:
        return parquet_rows(stream, where), True, None
    written = how_written(stream, where)
    return rows(stream, written, where), False, written.note


def _read(
    tree: Tree,
    table: str,
    found: Iterator[Row],
    wanted: Mapping[str, str | int] | None,
    part: int | None,
    reading: Reading,
    *,
    named: bool = False,
) -> None:
    """Add the pictures of one table; the first of its rows are the names of its columns for certain, or may be."""
    where = str(tree.path / table)
    first = list(islice(found, SAMPLE_ROWS))
    if not first:
        raise DataRefusedError("{path}: the table is empty.", path=where)
    folder = str(PurePosixPath(table).parent)
    paths = Paths(tree, "" if folder == "." else folder)
    picked = pick([row for _, row in first], wanted, paths.is_there, where, named=named)
    if picked.header and len(first) == 1:
        raise DataRefusedError("{path}: the table has names of columns and no row below them.", path=where)
    width = len(first[0][1])
    for line, row in chain(first[1:] if picked.header else first, found):
        if len(row) != width and (len(row) < picked.least or any(row[width:])):
            raise DataRefusedError(
                "{path}: line {line:,} has {found:,} fields and the first one {width:,}: {row}. Put fields that hold a "
                "separator in quotes.",
                path=where,
                line=line,
                found=len(row),
                width=width,
                row=repr(row[:4]),
            )
        _add(tree, where, line, row, picked, part, paths, reading)


def _add(
    tree: Tree, where: str, line: int, row: Sequence[str], picked: Picked, part: int | None, paths: Paths, all: Reading
) -> None:
    """Add the picture of one row."""
    columns, text, label = all.columns, row[picked.path], row[picked.label].strip()
    try:
        found = paths.find(text)
    except ValueError:
        raise refused(where, line, text, tree.path) from None
    if found is None:
        shown = text or f"{PurePosixPath(where).name}:{line}"
        columns.skipped.append(Skipped(shown, NO_FILE if text.strip() else NO_PATH))
        return
    name, stamp = found
    here = part if part is not None else _part(where, line, row, picked)
    group = row[picked.group].strip() if picked.group is not None else ""
    if label == "" and here != TEST:
        columns.skipped.append(Skipped(name, NO_LABEL))
        return
    before = all.lines.get(name)
    if before is not None:
        _check_same(where, line, name, before, (label, here, group), all)
        all.repeated += 1
        return
    all.grouped |= picked.group is not None
    if label == "":
        all.lines[name] = where, line, -1 - len(all.unlabelled)
        all.unlabelled.append((name, stamp, group))
        return
    all.lines[name] = where, line, len(columns.names)
    columns.names.append(name)
    columns.labels.append(columns.code(label))
    columns.parts.append(here)
    columns.stamps.extend(stamp)
    all.groups.append(group)


def _part(where: str, line: int, row: Sequence[str], picked: Picked) -> int:
    if picked.split is None:
        return UNDIVIDED
    part = part_of(row[picked.split])
    if part is None:
        raise DataRefusedError(
            "{path}: line {line:,}: {value!r} is no part of a data set. Parts are called {names}. To use the table "
            "without its parts, name the columns: --columns path=NAME,label=NAME.",
            path=where,
            line=line,
            value=row[picked.split],
            names=", ".join(name for names in PART_NAMES.values() for name in names),
        )
    return part


def _check_same(
    where: str, line: int, name: str, before: tuple[str, int, int], now: tuple[str, int, str], all: Reading
) -> None:
    """See that a row says of a picture what an earlier one has said."""
    first, line_before, place = before
    if place < 0:
        then = "", TEST, all.unlabelled[-1 - place][2]
    else:
        then = all.columns.texts[all.columns.labels[place]], all.columns.parts[place], all.groups[place]
    for what, one, other in zip(("label", "split", "group"), then, now, strict=True):
        if one != other:
            shown = {part: names[0] for part, names in PART_NAMES.items()} if what == "split" else {}
            raise DataRefusedError(
                "{path}: {name!r} is there twice and the rows do not agree: its {what} is {one!r} in line "
                "{first:,}{table} and {other!r} in line {second:,}. Correct one of them.",
                path=where,
                name=name,
                what=what,
                one=shown.get(one, one),  # type: ignore[call-overload]
                first=line_before,
                table="" if first == where else Message(" of {table}", table=first),
                other=shown.get(other, other),  # type: ignore[call-overload]
                second=line,
            )


def _finished(reading: Reading) -> Columns:
    """The columns, with the pictures without a label where no picture to be tested has one."""
    columns = reading.columns
    if reading.unlabelled and TEST in columns.parts:
        columns.skipped.extend(Skipped(name, NO_LABEL) for name, _, _ in reading.unlabelled)
    else:
        for name, stamp, group in reading.unlabelled:
            columns.names.append(name)
            columns.labels.append(UNLABELLED)
            columns.parts.append(TEST)
            columns.stamps.extend(stamp)
            reading.groups.append(group)
        if reading.unlabelled:
            columns.notes.append(no_exam(len(reading.unlabelled)))
    if reading.repeated:
        columns.notes.append(
            Message(
                "{count:,} rows say again what an earlier row has said; each picture is taken once.",
                count=reading.repeated,
            )
        )
    columns.groups = reading.groups if reading.grouped else None
    return columns
