"""Every opening of a sealed test set, and whether the record of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from honshi.exam import Ledger
from honshi.messages import Message


@dataclass(frozen=True)
class Opening:
    """One opening of a test set.

    Attributes:
        entry: of the ledger, in which it was reserved.
        outcome: its accuracy, or why there is none.
    """

    entry: dict[str, Any]
    outcome: Message


@dataclass(frozen=True)
class Openings:
    """What the ledger records.

    Attributes:
        ledger: which it is.
        entries: all of them, as they stand there.
        openings: the oldest first.
    """

    ledger: Ledger
    entries: list[dict[str, Any]]
    openings: list[Opening]

    @property
    def sentences(self) -> list[Message]:
        if self.openings:
            return []
        return [Message("No sealed test set has been opened yet ({path}).", path=self.ledger.path)]


def openings() -> Openings:
    """Read the user's ledger.

    Raises:
        LedgerError: it does not hold, or cannot be read.
    """
    ledger = Ledger.of_user()
    # In this order: who has finished meanwhile has its score in the entries.
    holder = ledger.holder()
    entries = ledger.entries()
    scores = {(e["test_sha256"], e["opening"]): e["score"]["accuracy"] for e in entries if e["event"] == "completed"}
    reserved = [entry for entry in entries if entry["event"] == "reserved"]
    found = []
    for entry in reserved:
        accuracy = scores.get((entry["test_sha256"], entry["opening"]))
        if accuracy is not None:
            outcome = Message("{accuracy:.2%}", accuracy=accuracy)
        elif holder is not None and entry is reserved[-1]:
            outcome = Message("being sat by {holder}", holder=holder.sentence)
        else:
            outcome = Message("broken off")
        found.append(Opening(entry, outcome))
    return Openings(ledger, entries, found)


@dataclass(frozen=True)
class Verification:
    """A ledger whose entries hold one another in place.

    Attributes:
        ledger: which it is.
        entries: how many.
        torn: whether an unfinished line stands behind them.
        writer: who is writing it just now, if somebody is.
    """

    ledger: Ledger
    entries: int
    torn: bool
    writer: Message | None

    @property
    def sentences(self) -> list[Message]:
        said = [Message("{path}: all {n} entries hold.", path=self.ledger.path, n=self.entries)]
        if self.torn and self.writer is not None:
            said.append(Message("Another one is being written just now, by {writer}.", writer=self.writer))
        elif self.torn:
            said.append(
                Message(
                    "Behind them stands an unfinished line, as a power cut leaves it. It records nothing, nothing "
                    "before it is lost, and the next entry takes its place."
                )
            )
        return said

    def to_dict(self) -> dict[str, Any]:
        return {"ledger": str(self.ledger.path), "entries": self.entries, "torn": self.torn}


def verify() -> Verification:
    """See that no entry of the user's ledger was edited, removed or reordered.

    Raises:
        LedgerError: one was; the first that breaks the chain is named.
    """
    ledger = Ledger.of_user()
    entries, torn = ledger.read()
    holder = ledger.holder() if torn else None
    return Verification(ledger, len(entries), torn, holder.sentence if holder is not None else None)
