"""What has been decided about pictures, for ever: ``parts.sqlite3`` in the user's data folder, never in their own.

A row a picture, by its key: whether it is for learning or for the exam, the share that it was drawn with, which
pictures it is a copy of, and a small grey version, so that a copy of a picture that is gone is known too.

What is decided is written in one transaction that begins with looking: of two processes the second finds what the
first has decided. A process that is killed has decided nothing or all of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from honshi.errors import DataError, WriteError
from honshi.files import home, make_folder
from honshi.messages import Message

# What is decided of a picture. OUT: it belongs together with pictures on both sides, so it is on neither.
UNKNOWN, LEARN, EXAM, OUT = range(4)
# Who has decided: honshi by lot, or who published the data by the folders that they are in.
DRAWN, PUBLISHED = range(2)
# Bytes of a key: a SHA-256 of what a picture is before it is brought to a size.
KEY_BYTES = 32
# Another process is busy for as long as it takes to write a few rows.
WAIT_SECONDS = 60.0

_TABLES = """
CREATE TABLE IF NOT EXISTS pictures (
    key BLOB PRIMARY KEY, part INTEGER NOT NULL, by INTEGER NOT NULL, share REAL, unit BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_unit ON pictures (unit);
CREATE TABLE IF NOT EXISTS small (
    key BLOB NOT NULL, fit TEXT NOT NULL, pixels BLOB NOT NULL, PRIMARY KEY (key, fit)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Known:
    """What is known of n pictures.

    Attributes:
        parts: int8 (n,), `UNKNOWN`, `LEARN`, `EXAM` or `OUT`.
        by: int8 (n,), `DRAWN` or `PUBLISHED`.
        shares: float64 (n,) that they were drawn with, NaN where they were not.
        units: uint8 (n, k), the key of one that each is a copy of; its own where it is a copy of none.
    """

    parts: NDArray[np.int8]
    by: NDArray[np.int8]
    shares: NDArray[np.float64]
    units: NDArray[np.uint8]


class Register:
    """The register, open.

    Raises:
        WriteError: by all that write, where the folder cannot be written to.
        DataError: by all, where the file is damaged or another process does not let go of it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    @contextmanager
    def of_user(cls) -> Iterator[Self]:
        """That of this user on this machine; it is closed at the end of the block."""
        path = home() / "parts.sqlite3"
        make_folder(path.parent)
        with _explained(path), closing(sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_TABLES)
            connection.execute("CREATE TEMP TABLE asked (place INTEGER PRIMARY KEY, key BLOB NOT NULL)")
            yield cls(path, connection)

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Keep every other process from deciding anything meanwhile; all that is written inside holds, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def look_up(self, keys: NDArray[np.uint8]) -> Known:
        """What is known of pictures.

        Args:
            keys: uint8 (n, k).
        """
        count = len(keys)
        known = Known(
            np.zeros(count, dtype=np.int8), np.zeros(count, dtype=np.int8), np.full(count, np.nan), keys.copy()
        )
        self._ask(keys)
        rows = self._connection.execute(
            "SELECT place, part, by, share, unit FROM asked JOIN pictures USING (key)"
        ).fetchall()
        if rows:
            places, parts, by, shares, units = zip(*rows, strict=True)
            at = np.array(places)
            known.parts[at], known.by[at] = parts, by
            known.shares[at] = [np.nan if share is None else share for share in shares]
            known.units[at] = np.frombuffer(b"".join(units), dtype=np.uint8).reshape(-1, KEY_BYTES)
        return known

    def decide(
        self,
        keys: NDArray[np.uint8],
        parts: NDArray[np.int8],
        units: NDArray[np.uint8],
        *,
        by: int,
        share: float | None = None,
    ) -> None:
        """Write down what was decided of pictures of which nothing was known. Only while `deciding`.

        Args:
            keys: uint8 (n, k).
            parts: int8 (n,).
            units: uint8 (n, k).
            by: `DRAWN` or `PUBLISHED`.
            share: that was drawn, where it was.
        """
        self._connection.executemany(
            "INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?, ?)",
            (
                (key.tobytes(), part, by, share, unit.tobytes())
                for key, part, unit in zip(keys, parts.tolist(), units, strict=True)
            ),
        )

    def unite(self, before: bytes, unit: bytes) -> None:
        """Write down that the pictures of a unit are copies of another's, as was not known. Only while `deciding`."""
        self._connection.execute("UPDATE pictures SET unit = ? WHERE unit = ?", (unit, before))

    def keep_small(self, keys: NDArray[np.uint8], fit: str, small: NDArray[np.uint8]) -> None:
        """Keep small versions, uint8 (n, h, w), of pictures that were brought to their shape in one way."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO small VALUES (?, ?, ?)",
            ((key.tobytes(), fit, pixels.tobytes()) for key, pixels in zip(keys, small, strict=True)),
        )

    def small_of_others(
        self, keys: NDArray[np.uint8], fit: str, shape: tuple[int, int], most: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The small versions of pictures that are known and are not among these.

        Args:
            keys: uint8 (n, k) of those that are at hand.
            fit: how they were brought to their shape.
            shape: (h, w) of a small version.
            most: so many at most, those for the exam first.

        Returns:
            Their keys, uint8 (m, k), and they themselves, uint8 (m, h, w).
        """
        self._ask(keys)
        rows = self._connection.execute(
            "SELECT small.key, small.pixels FROM small JOIN pictures USING (key) "
            "WHERE fit = ? AND length(pixels) = ? AND small.key NOT IN (SELECT key FROM asked) "
            "ORDER BY pictures.part = ? DESC LIMIT ?",
            (fit, shape[0] * shape[1], EXAM, most),
        ).fetchall()
        found = np.frombuffer(b"".join(key for key, _ in rows), dtype=np.uint8).reshape(-1, KEY_BYTES)
        small = np.frombuffer(b"".join(pixels for _, pixels in rows), dtype=np.uint8).reshape(-1, *shape)
        return found, small

    def _ask(self, keys: NDArray[np.uint8]) -> None:
        self._connection.execute("DELETE FROM asked")
        self._connection.executemany(
            "INSERT INTO asked VALUES (?, ?)", ((place, key.tobytes()) for place, key in enumerate(keys))
        )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise WriteError(
            "{path}: what is set aside for the exam is written down in this file, and it cannot be: {problem}. "
            "Nothing was set aside. HONSHI_HOME names another folder for it.",
            OSError(None, str(error), str(path)),
            path=path,
            problem=_said(error),
        ) from error
    except sqlite3.DatabaseError as error:
        raise DataError(
            "{path}: this file says which pictures are set aside for the exam, and it is damaged ({problem}). "
            "Restore it from a copy. If it is moved away, everything is divided anew, and pictures that were trained "
            "on may come into the exam.",
            path=path,
            problem=error,
        ) from error


def _said(error: sqlite3.OperationalError) -> Message:
    text = str(error)
    if "locked" in text:
        return Message("another process has it to itself")
    if "full" in text:
        return Message("there is no space left")
    return Message("{text}", text=text)
