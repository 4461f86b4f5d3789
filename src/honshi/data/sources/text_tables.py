"""Rows of a table that is text: CSV, TSV and their kin, in the encoding and with the separator that it is written in.

Everything in a table stays text: 007, NA, None and 1e5 are names like any other.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO

from honshi.data.sources.column_names import is_header
from honshi.errors import DataRefusedError
from honshi.messages import Message

# A longer one is no table of paths and labels, and would not fit in memory as one.
MOST_BYTES, MOST_ROWS = 256 << 20, 2_000_000
# What the separator is told by.
SAMPLE_CHARACTERS, SAMPLE_ROWS = 1 << 16, 20
CHUNK = 1 << 20
SPACE = " "
SEPARATORS = (",", "\t", ";", "|")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# What Python's codec makes of bytes that stand for nothing in Shift-JIS: 0x80, 0xA0, 0xFD, 0xFE and 0xFF.
_NOT_IN_SHIFT_JIS = re.compile("[\x80\uf8f0-\uf8f3]")
# What stands between white space, or in quotes, in which a quote is written twice.
_WORD = re.compile(r'"((?:[^"]|"")*)"(?=\s|$)|(\S+)')


@dataclass(frozen=True)
class Written:
    """How a table is written.

    Attributes:
        encoding: a codec of Python.
        separator: between two fields; a space for any white space.
    """

    encoding: str
    separator: str

    @property
    def note(self) -> Message | None:
        """What is worth saying of it."""
        if self.encoding == "cp932":
            return Message("The table is not in UTF-8 and was read as Shift-JIS (cp932).")
        return None


def how_written(stream: IO[bytes], where: str) -> Written:
    """The encoding and the separator of a table.

    Raises:
        DataRefusedError: it is too large, is no text, or in an encoding that is not read.
    """
    encoding = _encoding(stream, where)
    text = io.TextIOWrapper(io.BufferedReader(_Unclosed(stream)), encoding, newline="")
    sample = text.read(SAMPLE_CHARACTERS)
    if "\0" in sample:
        raise DataRefusedError("{path}: this is no table of text: it has zero bytes in it.", path=where)
    return Written(encoding, _separator(sample, where))


def rows(stream: IO[bytes], written: Written, where: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table that have anything in them, each with the line that it ends in, from 1.

    Raises:
        DataRefusedError: a quote is opened and not closed, or a field or the table is too long.
    """
    stream.seek(0)
    text = io.TextIOWrapper(io.BufferedReader(_Unclosed(stream)), written.encoding, newline="")
    count = 0
    line = 0
    try:
        for line, row in _split(text, written.separator):
            if not any(row):
                continue
            count += 1
            if count > MOST_ROWS:
                raise DataRefusedError("{path}: it has more than {most:,} rows.", path=where, most=MOST_ROWS)
            yield line, row
    except csv.Error as error:
        raise DataRefusedError(
            "{path}: after line {line:,} the table cannot be told apart into fields ({problem}). Is a quote opened "
            "there and not closed?",
            path=where,
            line=line,
            problem=error,
        ) from error


def _split(text: Iterable[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    if separator == SPACE:
        for line, content in enumerate(text, 1):
            yield line, [word or quoted.replace('""', '"') for quoted, word in _WORD.findall(content)]
        return
    reader = csv.reader(text, delimiter=separator, strict=True, skipinitialspace=True)
    for row in reader:
        yield reader.line_num, row


def _encoding(stream: IO[bytes], where: str) -> str:
    stream.seek(0, io.SEEK_END)
    if stream.tell() > MOST_BYTES:
        raise DataRefusedError(
            "{path}: it has more than {most:,} MB, which no table of paths and labels has.",
            path=where,
            most=MOST_BYTES >> 20,
        )
    stream.seek(0)
    head = stream.read(4)
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "cp932"):
        problem = _problem(stream, encoding)
        if problem is None:
            return encoding
        if encoding != "cp932":
            first = problem
    raise DataRefusedError(
        "{path}: the table is neither in UTF-8 nor in Shift-JIS: byte {byte:,} fits neither. Save it as UTF-8.",
        path=where,
        byte=first,
    )


def _problem(stream: IO[bytes], encoding: str) -> int | None:
    """The first byte, about, that an encoding has no character for."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    at = 0
    try:
        while chunk := stream.read(CHUNK):
            text = decoder.decode(chunk)
            if encoding == "cp932" and (misread := _NOT_IN_SHIFT_JIS.search(text)):
                return at + len(text[: misread.start()].encode(encoding))
            at += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return at + error.start
    return None


def _separator(sample: str, where: str) -> str:
    """What stands between the fields: by it the first rows have equally many, and the names of columns are known."""
    if where.lower().endswith((".tsv", ".tab")):
        return "\t"
    whole = len(sample) < SAMPLE_CHARACTERS
    fitting = []
    for separator in (*SEPARATORS, SPACE):
        first: list[list[str]] = []
        try:
            for _, row in islice(_split(io.StringIO(sample, newline=""), separator), SAMPLE_ROWS + 1):
                first.append(row)
        except csv.Error:
            if whole:
                continue
        first = [row for row in (first if whole else first[:-1]) if any(row)][:SAMPLE_ROWS]
        if first and is_header(first[0]):
            return separator
        if first and len(first[0]) > 1 and len({len(row) for row in first}) == 1:
            fitting.append(separator)
    return fitting[0] if fitting else ","


class _Unclosed(io.RawIOBase):
    """Reads a stream and leaves it open when it is thrown away itself."""

    def __init__(self, stream: IO[bytes]) -> None:
        stream.seek(0)
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)
