"""Rows of a table in Parquet, through the library pyarrow: as text, like those of every other table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import IO, Any

from honshi.data.sources.column_names import role_of
from honshi.errors import DataRefusedError
from honshi.messages import first_line

MAGIC = b"PAR1"
MOST_ROWS = 2_000_000
BATCH_ROWS = 10_000


def parquet_rows(stream: IO[bytes], where: str) -> Iterator[tuple[int, Sequence[str]]]:
    """The names of the columns, then each row, with its number from 1.

    Numbers become text as they are written (whole ones without a point), nothing becomes the empty text, and the
    numbers of a column whose classes the file itself names become those names. A column of lists, bytes or parts of its
    own is empty.

    Raises:
        DataRefusedError: pyarrow is not installed; the file is damaged or too large; the pictures are in it themselves.
    """
    if find_spec("pyarrow") is None:
        raise DataRefusedError(
            "{path}: Parquet is read by the library pyarrow: pip install 'honshi[parquet]'.", path=where
        )
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(stream)
        schema, count = file.schema_arrow, file.metadata.num_rows
        if count > MOST_ROWS:
            raise DataRefusedError("{path}: it has more than {most:,} rows.", path=where, most=MOST_ROWS)
        flat = [field.name for field in schema if not _has_parts(field.type)]
        held = [field.name for field in schema if field.name not in flat and role_of(field.name) == "path"]
        if held:
            raise DataRefusedError(
                "{path}: the column {name!r} holds the pictures themselves and not their paths. The library datasets "
                "takes them out: --data hf:FOLDER, with the folder that the file lies in.",
                path=where,
                name=held[0],
            )
        classes = _class_names(schema.metadata)
        yield 0, schema.names
        line = 0
        for batch in file.iter_batches(BATCH_ROWS, columns=flat):
            columns = {
                name: [_text(value, classes.get(name)) for value in batch.column(name).to_pylist()] for name in flat
            }
            missing = [""] * batch.num_rows
            for row in zip(*(columns.get(name, missing) for name in schema.names), strict=True):
                line += 1
                yield line, row
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        raise DataRefusedError(
            "{path}: this is no table in Parquet, or a damaged one: {problem}.",
            path=where,
            problem=first_line(error).rstrip("."),
        ) from error


def _has_parts(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """By column the names of its classes, as the library datasets writes them into a file."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: list(map(str, said["names"])) for name, said in features.items() if "names" in said}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _text(value: Any, names: list[str] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if names is not None and isinstance(value, int) and value < len(names):
        return names[value] if value >= 0 else ""
    return str(value)
