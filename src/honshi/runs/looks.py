"""How worn a validation set is: every look at it is counted, by the content of the set.

Each epoch of each training looks once, and so does each later scoring and each trial of a search. A
look is a line in a file of the user's data folder, named by the set's hash. A set that the first version knew by
another hash has two files, and an empty one beside them whose name says so.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from honshi.errors import RunError
from honshi.evaluation.optimism import best_of
from honshi.files import append_line, check_file, explain, home, make_file, not_written
from honshi.messages import Message

if TYPE_CHECKING:
    from honshi.data.examples import Examples

Kind = Literal["epoch", "validate", "compare", "trial"]

# What `note` has written of the kind; inside the other values quotation marks are escaped.
KINDS = re.compile(rb'"kind": "(\w+)"')
LINE = 65536
# A power cut may leave zeros.
BLANK = b"\0 \t\r\n"
# Between the identity of a set and what the first version called it.
SAME = "="


def note(val_sha256: str, kind: Kind, run: str) -> None:
    """Count one look at a validation set.

    Raises:
        WriteError: it cannot be written down. Who can say so beside a result uses `honshi.files.not_written`.
    """
    look = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "kind": kind, "run": run}
    append_line(_path(val_sha256), json.dumps(look).encode())


def make_room(val_sha256: str) -> None:
    """See that looks can be written down, before a training begins that will look.

    Raises:
        WriteError: they cannot.
    """
    make_file(_path(val_sha256))


def count(val_sha256: str, kind: Kind | None = None) -> int:
    """How many looks there were at a validation set, of one kind or of all.

    A line of which a full disk or a power cut has left the beginning alone is a look too, of a kind that nobody knows;
    and what was written behind it on the same line is one more.
    """
    looks: Counter[str] = Counter()
    for name in _names(val_sha256):
        looks += _counted(_path(name))
    return looks.total() if kind is None else looks[kind]


def adopt(val: Examples) -> None:
    """Count with the looks at a validation set those that the first version noted under its hash of that time."""
    if not _folder().is_dir():
        return
    earlier = val.sha256()
    if _path(earlier).exists():
        # Nothing is moved: what another version adds to the old file counts too, and nothing counts twice.
        not_written(lambda: make_file(_folder() / f"{val.identity}{SAME}{earlier}"))


def known_as(val_sha256: str) -> str:
    """The identity of a validation set that goes by this hash, of today or of the first version."""
    return _names(val_sha256)[0]


def _names(val_sha256: str) -> list[str]:
    """Every hash that a set goes by, its identity first."""
    try:
        pairs = [path.name.split(SAME) for path in _folder().iterdir() if SAME in path.name]
    except OSError:
        return [val_sha256]
    identity = next((identity for identity, earlier in pairs if earlier == val_sha256), val_sha256)
    return [identity, *(earlier for known, earlier in pairs if known == identity)]


def _counted(path: Path) -> Counter[str]:
    looks: Counter[str] = Counter()
    try:
        check_file(path)
        with path.open("rb") as stream:
            # By pieces, so that damage without a line break is not read at once.
            for line in iter(partial(stream.readline, LINE), b""):
                looks.update([found.decode() for found in KINDS.findall(line)] or ["?"] * bool(line.strip(BLANK)))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RunError("{problem}", problem=explain(error)) from error
    return looks


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
    def sentence(self) -> Message:
        if self.looks == 1:
            return Message("This validation set was looked at once.")
        return Message(
            "This validation set was looked at {looks:,} times; the best of so many looks seems better than it "
            "is by up to {points:.2f} points through chance alone.",
            looks=self.looks,
            points=self.optimism * 100,
        )


def describe(val_sha256: str, n: int, accuracy: float) -> Wear:
    """The wear of a validation set of n images, for a model of this accuracy on it."""
    looks = max(count(val_sha256), 1)
    return Wear(looks, best_of(looks, n, accuracy))


def _path(val_sha256: str) -> Path:
    return _folder() / f"{val_sha256}.jsonl"


def _folder() -> Path:
    return home() / "looks"
