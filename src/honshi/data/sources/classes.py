"""The classes of a data set: their order, and which of them a name in another part means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from honshi.errors import DataRefusedError
from honshi.messages import Message

# So many names are shown in a sentence; more are counted.
SHOWN = 5

# Of more digits Python makes no number; they are compared piece by piece.
_NUMBER = re.compile(r"([0-9]{1,4000})")
_WHOLE = re.compile(r"-?[0-9]{1,4000}")


def natural_key(name: str) -> tuple[object, ...]:
    """By it names stand as people count: 2 before 10, and -2 before -1 before 0 where they are whole numbers."""
    if _WHOLE.fullmatch(name):
        return 0, int(name), name
    # Words and numbers alternate, so that words are compared with words: a name begins with a word, maybe an empty one.
    pieces = _NUMBER.split(name)
    return 1, *((int(piece) if place % 2 else piece.casefold(), piece) for place, piece in enumerate(pieces))


def in_natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, 2 before 10."""
    return tuple(sorted(set(names), key=natural_key))


def some(names: Sequence[object]) -> Message | str:
    """A few names in a row, and how many more there are."""
    shown = ", ".join(str(name) for name in names[:SHOWN])
    if len(names) <= SHOWN:
        return shown
    return Message("{names} and {more:,} more", names=shown, more=len(names) - SHOWN)


@dataclass
class Classes:
    """The classes that training has, and what names elsewhere mean.

    Attributes:
        names: in natural order.
        notes: which names were taken for a class that is spelt in another way.
    """

    names: tuple[str, ...]
    notes: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        """
        Raises:
            DataRefusedError: two classes look the same.
        """
        self._places = {name: place for place, name in enumerate(self.names)}
        self._alike: dict[str, list[str]] = {}
        for name in self.names:
            self._alike.setdefault(_spelling(name), []).append(name)
        for alike in self._alike.values():
            for first, second in pairwise(alike):
                if unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second):
                    raise DataRefusedError(
                        "There are two classes {name!r} that differ only in how Unicode writes them ({first} and "
                        "{second}). Give both one name.",
                        name=unicodedata.normalize("NFC", first),
                        first=ascii(first),
                        second=ascii(second),
                    )
        twins = [name for alike in self._alike.values() if len(alike) > 1 for name in alike]
        if twins:
            self.notes.append(
                Message(
                    "Of the classes some differ from another one only in case, and each is one of its own: {names}.",
                    names=some(twins),
                )
            )

    def place(self, name: str, where: Message) -> int:
        """Which class a name means that validation or test has.

        Args:
            name: as it stands there.
            where: what to call the place in an error or a note: "the validation part".

        Raises:
            DataRefusedError: training has no such class, or two that it may be.
        """
        if name in self._places:
            return self._places[name]
        alike = self._alike.get(_spelling(name), [])
        if len(alike) == 1:
            self.notes.append(
                Message(
                    "In {where}, {name!r} is taken for the class {known!r}: they differ only in case or in how Unicode "
                    "writes them.",
                    where=where,
                    name=name,
                    known=alike[0],
                )
            )
            return self._places[alike[0]]
        if alike:
            raise DataRefusedError(
                "In {where} there is a class {name!r}, and it may be {known} of the training part. Give it the name of "
                "one of them.",
                where=where,
                name=name,
                known=Message("{first!r} or {second!r}", first=alike[0], second=alike[1]),
            )
        raise DataRefusedError(
            "In {where} there is a class {name!r}, which the training part lacks: it has {known}. Give it pictures for "
            "training, or take it out.",
            where=where,
            name=name,
            known=some(self.names),
        )


def _spelling(name: str) -> str:
    """What names share that differ only in case or Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
