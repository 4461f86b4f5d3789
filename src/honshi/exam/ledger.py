"""The record of openings: append-only JSON lines that hold one another in place.

Each entry carries its own hash and that of the entry before; `ledger.head` names the last one. So an
entry that was edited, removed or moved shows, the last one included. This is evidence, not
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
from honshi.files import home, sha256, write_json

# What the first entry names as the hash of the entry before it.
BEGINNING = "0" * 64


@dataclass(frozen=True)
class Ledger:
    """The ledger in a folder."""

    folder: Path

    @classmethod
    def of_user(cls) -> Ledger:
        """The ledger of this user on this machine; ``HONSHI_HOME`` names another folder."""
        return cls(home())

    @property
    def path(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def head_path(self) -> Path:
        return self.folder / "ledger.head"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from reading and writing the ledger meanwhile.

        Raises:
            LedgerError: the folder cannot be written to.
        """
        lock = FileLock(self.folder / "ledger.lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
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
        """What was recorded, the oldest first. A torn last line is not an entry.

        Raises:
            LedgerError: the chain does not hold; the first entry that breaks it is named.
        """
        found: list[dict[str, Any]] = []
        previous = BEGINNING
        for number, line in enumerate(self._lines(), start=1):
            try:
                entry = dict(json.loads(line))
                claimed, own = entry["hash"], _hash(entry)
            except (ValueError, KeyError, TypeError):
                raise self._broken(number, "is not an entry any more: it was edited") from None
            if claimed != own:
                raise self._broken(number, "does not match its own hash: it was edited")
            if entry["entry"] != number or entry["previous"] != previous:
                raise self._broken(number, "does not follow the one before it: entries were removed or reordered")
            found.append(entry)
            previous = claimed
        self._check_head(found)
        return found

    def torn(self) -> bool:
        """Whether the last line was left unfinished, as by a power cut; what stands before it is whole."""
        return self._read()[1] != b""

    def append(self, event: str, **content: Any) -> dict[str, Any]:
        """Add an entry and see it reach the disk. Only while `locked`.

        Raises:
            LedgerError: the ledger does not hold, or cannot be written.
        """
        before = self.entries()
        entry: dict[str, Any] = {
            "entry": len(before) + 1,
            "previous": before[-1]["hash"] if before else BEGINNING,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "event": event,
            **content,
        }
        entry["hash"] = _hash(entry)
        end = sum(len(line) + 1 for line in self._lines())
        try:
            with self.path.open("r+b" if self.path.exists() else "xb") as stream:
                # Whatever stands behind the last finished line is what a power cut left of another.
                stream.truncate(end)
                stream.seek(end)
                stream.write(json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            write_json(self.head_path, {"entries": entry["entry"], "hash": entry["hash"]})
        except OSError as error:
            raise LedgerError(f"{self.path}: the ledger cannot be written: {error.strerror}.") from error
        return entry

    def _check_head(self, found: list[dict[str, Any]]) -> None:
        """The head may lag one entry behind, where the power went between the two writes; never lead."""
        try:
            head = json.loads(self.head_path.read_bytes())
            count, named = int(head["entries"]), head["hash"]
        except FileNotFoundError:
            count, named = 0, BEGINNING
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerError(f"{self.head_path}: the head of the ledger cannot be read: {error!r}.") from error
        if count > len(found):
            raise self._broken(len(found) + 1, f"is missing: {count} were recorded, so the last were removed")
        if count < len(found) - 1:
            raise self._broken(count + 2, "is not known to the head of the ledger: it was added by hand")
        if count and found[count - 1]["hash"] != named:
            raise self._broken(count, "is not the one that the head of the ledger names: it was replaced")

    def _broken(self, number: int, how: str) -> LedgerError:
        return LedgerError(
            f"{self.path}: entry {number} {how}. Nothing is added to a ledger that does not hold; restore it "
            "from a copy, or move ledger.jsonl and ledger.head away to begin a new one."
        )

    def _lines(self) -> list[bytes]:
        return self._read()[0]

    def _read(self) -> tuple[list[bytes], bytes]:
        """The finished lines without their ends, and what stands behind the last of them."""
        try:
            *lines, rest = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return [], b""
        except OSError as error:
            raise LedgerError(f"{self.path}: the ledger cannot be read: {error.strerror}.") from error
        return lines, rest


def _hash(entry: dict[str, Any]) -> str:
    """The hash of everything in an entry but its hash."""
    content = {key: value for key, value in entry.items() if key != "hash"}
    return sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode())
