"""The record of openings: append-only JSON lines, each carrying the hash of the line before.

A line that was edited, removed or moved breaks the chain from there on. This is evidence, not
protection: whoever owns the machine can write a new chain.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from honshi.errors import LedgerError
from honshi.files import home, sha256

# What the first line names as the hash of the line before it.
BEGINNING = "0" * 64


@dataclass(frozen=True)
class Ledger:
    """The ledger in a folder; the user's own where none is given."""

    folder: Path

    @classmethod
    def of_user(cls) -> Ledger:
        return cls(home())

    @property
    def path(self) -> Path:
        return self.folder / "ledger.jsonl"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from reading and writing the ledger meanwhile.

        Raises:
            LedgerError: the folder cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "ledger.lock")
            lock.acquire()
        except OSError as error:
            raise LedgerError(
                f"{self.path}: the ledger cannot be written ({error.strerror}), so the exam is not opened. "
                "HONSHI_HOME names another folder for it."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def entries(self) -> list[dict[str, Any]]:
        """What was recorded, the oldest first.

        A last line that a power cut left unfinished is not an entry.

        Raises:
            LedgerError: the chain is broken; the first entry that does not hold is named.
        """
        found: list[dict[str, Any]] = []
        previous = BEGINNING
        for number, line in enumerate(self._lines(), start=1):
            try:
                entry = json.loads(line)
                intact = entry["entry"] == number and entry["previous"] == previous
            except (ValueError, KeyError, TypeError):
                intact = False
            if not intact:
                raise LedgerError(
                    f"{self.path}: line {number} does not follow from the line before it: one of the two was "
                    "edited, removed or moved. Nothing is added to a ledger that does not hold."
                )
            found.append(entry)
            previous = sha256(line)
        return found

    def append(self, event: str, **content: Any) -> dict[str, Any]:
        """Add an entry and see it reach the disk. Only while `locked`.

        Raises:
            LedgerError: the ledger does not hold, or cannot be written.
        """
        lines = self._lines()
        self.entries()
        entry = {
            "entry": len(lines) + 1,
            "previous": sha256(lines[-1]) if lines else BEGINNING,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "event": event,
            **content,
        }
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        whole = b"".join(finished + b"\n" for finished in lines)
        try:
            with self.path.open("r+b" if self.path.exists() else "xb") as stream:
                # Whatever stands behind the last finished line is the torso that a power cut left.
                stream.truncate(len(whole))
                stream.seek(len(whole))
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise LedgerError(f"{self.path}: the ledger cannot be written: {error.strerror}.") from error
        return entry

    def _lines(self) -> list[bytes]:
        """The finished lines, without their ends."""
        try:
            *lines, _torso = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LedgerError(f"{self.path}: the ledger cannot be read: {error.strerror}.") from error
        return lines
