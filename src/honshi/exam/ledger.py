"""The record of openings: append-only JSON lines that hold one another in place.

Each entry carries its own hash and that of the entry before; `ledger.head` names the last one. So an
entry that was edited, removed or moved shows, the last one included. This is evidence, not
protection: whoever owns the machine can write a new chain.

An entry is announced in the head before it is written, and confirmed there afterwards. Wherever a crash or a full disk
stops that, what is there says which entry was on its way, and the next one begins behind it. Readers need no lock.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from honshi.errors import LedgerError, WriteError
from honshi.files import explain, home, not_written, read_bounded, sha256, write_json, write_whole
from honshi.messages import Message

# What the first entry names as the hash of the entry before it.
BEGINNING = "0" * 64
# After this long whoever waits is told for whom; after this long the wait is given up.
TELL_SECONDS, WAIT_SECONDS = 2.0, 120.0
# A writer is between its two files for milliseconds.
READS, PAUSE_SECONDS = 200, 0.01
# More than an entry and its head take.
RESERVE_BYTES = 1 << 16
# Of a hundred thousand openings.
MOST_BYTES = 1 << 28

Tell = Callable[[Message], None]


@dataclass(frozen=True)
class Holder:
    """Who has the ledger to itself just now.

    Attributes:
        pid, host: the process and its machine.
        since: UTC (ISO 8601).
    """

    pid: int
    host: str
    since: str

    @property
    def sentence(self) -> Message:
        return Message("process {pid} on {host} since {since}", pid=self.pid, host=self.host, since=self.since)


def to_stderr(message: Message) -> None:
    """Say something to whoever waits."""
    print(message, file=sys.stderr, flush=True)


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

    @property
    def _holder_path(self) -> Path:
        return self.folder / "ledger.holder"

    @property
    def _lock(self) -> FileLock:
        return FileLock(self.folder / "ledger.lock")

    @contextmanager
    def locked(self, tell: Tell = to_stderr) -> Iterator[None]:
        """Keep every other process from writing to the ledger meanwhile.

        Args:
            tell: is told for whom this waits, where it does.

        Raises:
            LedgerError: the folder cannot be written to, or another process does not let go of it.
        """
        lock = self._lock
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._acquire(lock, tell)
        except OSError as error:
            raise LedgerError(
                "{path}: the ledger cannot be written ({reason}), so the exam is not opened. HONSHI_HOME names another "
                "folder for it.",
                path=self.path,
                reason=error.strerror,
            ) from error
        try:
            holder = Holder(os.getpid(), platform.node(), datetime.now(UTC).isoformat(timespec="seconds"))
            not_written(lambda: write_json(self._holder_path, asdict(holder)))  # whoever waits is told less then
            yield
        finally:
            with suppress(OSError):
                self._holder_path.unlink()
            lock.release()

    def _acquire(self, lock: FileLock, tell: Tell) -> None:
        with suppress(Timeout):
            lock.acquire(timeout=TELL_SECONDS)
            return
        tell(Message("Waiting for the ledger, which {holder} has to itself.", holder=self._named()))
        try:
            lock.acquire(timeout=WAIT_SECONDS)
        except Timeout:
            raise LedgerError(
                "{path}: the ledger is not free: {holder} has had it to itself for more than {seconds:g} s. Nothing "
                "was opened. Let that process go on or end it, and try again.",
                path=self.path,
                holder=self._named(),
                seconds=WAIT_SECONDS,
            ) from None

    def _named(self) -> Message:
        holder = self._told_holder()
        return Message("another process") if holder is None else holder.sentence

    def holder(self) -> Holder | None:
        """Who sits an exam just now; None where nobody does."""
        told = self._told_holder()
        if told is None:
            return None
        lock = self._lock
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return told
        except OSError:
            return told  # to try the lock takes the right to write; who died without a word is named as well
        lock.release()
        return None

    def _told_holder(self) -> Holder | None:
        try:
            return Holder(**json.loads(read_bounded(self._holder_path, MOST_BYTES)))
        except (OSError, ValueError, TypeError):
            return None

    @contextmanager
    def reserve(self) -> Iterator[Callable[[], None]]:
        """Take the room that a few entries need, so that what is begun can be recorded.

        Returns:
            What gives it back, before the entry is written; at the end of the block it is given back anyway.

        Raises:
            LedgerError: there is not that much.
        """
        path = self.folder / "ledger.reserve"

        def give_back() -> None:
            path.unlink(missing_ok=True)

        try:
            # Nothing that a file system could make small.
            write_whole(path, os.urandom(RESERVE_BYTES))
        except WriteError as error:
            raise LedgerError(
                "{problem} The exam is not opened, because its result could not be recorded.", problem=error.message
            ) from error
        try:
            yield give_back
        finally:
            give_back()

    def entries(self) -> list[dict[str, Any]]:
        """What was recorded, the oldest first. A torn last line is not an entry.

        Raises:
            LedgerError: the chain does not hold; the first entry that breaks it is named.
        """
        return self.read()[0]

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """The entries, and whether a line behind them was left unfinished, as by a power cut.

        Raises:
            LedgerError: as `entries`.
        """
        for _ in range(READS):
            head = self._read(self.head_path)
            content = self._read(self.path)
            if head == self._read(self.head_path):
                break
            # Somebody writes: what was read of one file may not belong to the other.
            time.sleep(PAUSE_SECONDS)
        *lines, rest = (content or b"").split(b"\n")
        found = self._chain(lines)
        self._check_head(head, found)
        return found, rest != b""

    def torn(self) -> bool:
        """Whether the last line was left unfinished, as by a power cut; what stands before it is whole."""
        return self.read()[1]

    def append(self, event: str, **content: Any) -> dict[str, Any]:
        """Add an entry and see it reach the disk. Only while `locked`.

        Raises:
            LedgerError: the ledger does not hold, or cannot be written; then there is no such entry.
        """
        before, torn = self.read()
        previous = before[-1]["hash"] if before else BEGINNING
        entry: dict[str, Any] = {
            "entry": len(before) + 1,
            "previous": previous,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "event": event,
            **content,
        }
        entry["hash"] = _hash(entry)
        line = _encoded(json.dumps(entry, ensure_ascii=False, allow_nan=False)) + b"\n"
        whole = self._read(self.path) or b""
        end = whole.rfind(b"\n") + 1 if torn else len(whole)
        try:
            # Announced first: whatever happens now, the entry is known as one of this chain.
            write_json(self.head_path, {"entries": len(before), "hash": previous, "next": entry["hash"]})
            self._write_line(line, end)
        except OSError as error:
            raise LedgerError("{problem}", problem=_said(error, self.path)) from error
        # It is announced already, so a disk that is full just now loses nothing.
        not_written(lambda: write_json(self.head_path, {"entries": entry["entry"], "hash": entry["hash"]}))
        return entry

    def _write_line(self, line: bytes, end: int) -> None:
        with self.path.open("r+b" if self.path.exists() else "xb", buffering=0) as stream:
            # Whatever stands behind the last finished line is what a power cut left of another.
            stream.truncate(end)
            stream.seek(end)
            try:
                written = 0
                while written < len(line):
                    written += stream.write(line[written:]) or 0
                os.fsync(stream.fileno())
            except OSError:
                with suppress(OSError):
                    stream.truncate(end)
                raise

    def _chain(self, lines: list[bytes]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        previous = BEGINNING
        for number, line in enumerate(lines, start=1):
            try:
                entry = dict(json.loads(line))
                claimed, own = entry["hash"], _hash(entry)
            except (ValueError, KeyError, TypeError, RecursionError):
                raise self._broken(number, Message("is not an entry any more: it was edited")) from None
            if claimed != own:
                raise self._broken(number, Message("does not match its own hash: it was edited"))
            if entry.get("entry") != number or entry.get("previous") != previous:
                raise self._broken(
                    number, Message("does not follow the one before it: entries were removed or reordered")
                )
            found.append(entry)
            previous = claimed
        return found

    def _check_head(self, content: bytes | None, found: list[dict[str, Any]]) -> None:
        """The head may lag one entry behind, the one that it announces; never lead."""
        if content is None:
            # The first version wrote the head after the entry; a crash could leave the very first without one.
            if len(found) > 1:
                raise LedgerError(
                    "{head}: this file is lost. The {count} entries of {ledger} hold one another, and nobody can tell "
                    "whether later ones were removed. Restore it from a copy, or move ledger.jsonl away to begin a "
                    "new one.",
                    head=self.head_path,
                    count=len(found),
                    ledger=self.path,
                )
            return
        try:
            head = json.loads(content)
            count, named, announced = head["entries"], head["hash"], head.get("next")
            if type(count) is not int or count < 0:
                raise ValueError(f"{count!r} entries")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise LedgerError(
                "{head}: the head of the ledger cannot be read: {problem!r}. Restore it from a copy, or move it and "
                "ledger.jsonl away to begin a new one.",
                head=self.head_path,
                problem=error,
            ) from error
        if count > len(found):
            raise self._broken(
                len(found) + 1, Message("is missing: {count} were recorded, so the last were removed", count=count)
            )
        if count and found[count - 1]["hash"] != named:
            raise self._broken(count, Message("is not the one that the head of the ledger names: it was replaced"))
        # The first version announced nothing, and its head may lag one entry behind all the same.
        known = count + (announced is None or (len(found) > count and found[count]["hash"] == announced))
        if len(found) > known:
            raise self._broken(known + 1, Message("is not known to the head of the ledger: it was added by hand"))

    def _broken(self, number: int, how: Message) -> LedgerError:
        return LedgerError(
            "{path}: entry {number} {how}. Nothing is added to a ledger that does not hold; restore it from a copy, or "
            "move ledger.jsonl and ledger.head away to begin a new one.",
            path=self.path,
            number=number,
            how=how,
        )

    def _read(self, path: Path) -> bytes | None:
        """The content of a file; None where there is none."""
        try:
            return read_bounded(path, MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LedgerError(
                "{path}: the ledger cannot be read: {reason}.", path=path, reason=error.strerror
            ) from error


def _said(error: OSError, path: Path) -> Message:
    if isinstance(error, WriteError):
        return error.message
    error.filename = str(path)
    return explain(error)


def _hash(entry: dict[str, Any]) -> str:
    """The hash of everything in an entry but its hash."""
    content = {key: value for key, value in entry.items() if key != "hash"}
    return sha256(_encoded(json.dumps(content, ensure_ascii=False, sort_keys=True)))


def _encoded(text: str) -> bytes:
    """JSON in UTF-8; of a name that is not UTF-8 what has no place in it stands as JSON's own escapes."""
    return text.encode("utf-8", "backslashreplace")
