"""How worn a validation set is: every look at it is counted, by the content of the set.

Each epoch of each training looks once, and so does each later scoring and each trial of a search. A
look is a line in a file of the user's data folder, named by the set's hash.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from honshi.evaluation.optimism import best_of
from honshi.files import home

Kind = Literal["epoch", "validate", "compare", "trial"]


def note(val_sha256: str, kind: Kind, run: str) -> None:
    """Count one look at a validation set."""
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), "kind": kind, "run": run})
    path = _path(val_sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    # One short write at the end of the file: processes that look at once do not mix their lines.
    with path.open("ab", buffering=0) as stream:
        stream.write(line.encode() + b"\n")


def count(val_sha256: str, kind: Kind | None = None) -> int:
    """How many looks there were at a validation set, of one kind or of all."""
    try:
        lines = _path(val_sha256).read_bytes().splitlines()
    except FileNotFoundError:
        return 0
    return len(lines) if kind is None else sum(json.loads(line)["kind"] == kind for line in lines)


@dataclass(frozen=True)
class Wear:
    """How worn a validation set is.

    Attributes:
        looks: how often it was looked at.
        optimism: by how much the best of so many looks seems better than it is, by chance at most.
    """

    looks: int
    optimism: float

    @property
    def sentence(self) -> str:
        if self.looks == 1:
            return "This validation set was looked at once."
        return (
            f"This validation set was looked at {self.looks:,} times; the best of so many looks seems better than it "
            f"is by up to {self.optimism * 100:.2f} points through chance alone."
        )


def describe(val_sha256: str, n: int, accuracy: float) -> Wear:
    """The wear of a validation set of n images, for a model of this accuracy on it."""
    looks = max(count(val_sha256), 1)
    return Wear(looks, best_of(looks, n, accuracy))


def _path(val_sha256: str) -> Path:
    return home() / "looks" / f"{val_sha256}.jsonl"
