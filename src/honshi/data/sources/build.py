"""A listing out of what a source has found: classes are matched by name across the parts, and what is odd is said."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from honshi.data.listing import TEST, TRAIN, UNDIVIDED, UNLABELLED, VAL, Listing, Opener, Skipped
from honshi.data.sources.classes import Classes, in_natural_order, some
from honshi.errors import DataRefusedError, RequestError
from honshi.messages import Message

NO_LABEL = Message("the row has no label")
WHERE = {
    VAL: Message("the validation part"),
    TEST: Message("the test part"),
}


@dataclass
class Columns:
    """Pictures as a source finds them, one after the other.

    Attributes:
        names: as in `Listing.names`.
        labels: of each the place of its label among the texts, or `UNLABELLED`.
        texts: the labels that there are.
        parts: as in `Listing.parts`.
        stamps: of each picture size and time of change, one after the other.
        groups: as in `Listing.groups`.
        empty: names of classes that are there and have no picture.
        skipped, notes: as in `Listing`.
    """

    names: list[str] = field(default_factory=list)
    labels: array[int] = field(default_factory=lambda: array("i"))
    texts: list[str] = field(default_factory=list)
    parts: array[int] = field(default_factory=lambda: array("b"))
    stamps: array[int] = field(default_factory=lambda: array("q"))
    groups: list[str] | None = None
    empty: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._known = {text: place for place, text in enumerate(self.texts)}

    def code(self, text: str) -> int:
        """The place of a label among the texts."""
        if text not in self._known:
            self._known[text] = len(self.texts)
            self.texts.append(text)
        return self._known[text]


def listed(columns: Columns, *, name: str, title: str, kind: Message, opener: Opener) -> Listing:
    """The listing of what was found.

    Raises:
        DataRefusedError: there is nothing to train on, one class only, or a part has a class that training lacks.
    """
    labels = np.array(columns.labels, np.int32)
    parts = np.array(columns.parts, np.int8)
    training = (parts == UNDIVIDED) | (parts == TRAIN)
    trained = np.unique(labels[training & (labels >= 0)])
    if not len(trained):
        raise DataRefusedError(
            "{name}: there are no pictures with a label to train on{others}.",
            name=name,
            others=_others(len(labels), columns.skipped),
        )
    found = Classes(in_natural_order([*(columns.texts[code] for code in trained), *columns.empty]))
    if len(found.names) == 1:
        raise DataRefusedError(
            "{name}: all {count:,} pictures have one label, {label!r}, and there is nothing to tell apart. At least "
            "two classes are needed; taken for {kind}.",
            name=name,
            count=int(training.sum()),
            label=found.names[0],
            kind=kind,
        )
    placed = _placed(labels, parts, columns.texts, found)
    return Listing(
        name=name,
        title=title,
        kind=kind,
        names=columns.names,
        labels=placed,
        classes=found.names,
        parts=parts,
        stamps=np.array(columns.stamps, np.int64).reshape(-1, 2),
        opener=opener,
        groups=columns.groups,
        skipped=tuple(columns.skipped),
        notes=(*columns.notes, *found.notes, *_rare(placed[training], found.names)),
    )


def no_exam(count: int) -> Message:
    """That a test part is a competition's."""
    return Message(
        "The {count:,} pictures of the test part have no labels: they can be answered by `honshi predict`, and no exam "
        "can be held on them.",
        count=count,
    )


def grouped(names: Sequence[str], pattern: str) -> tuple[list[str], list[Message]]:
    """The group of each picture by a pattern on its name, and what is worth saying of it.

    Args:
        names: as in `Listing.names`.
        pattern: a regular expression that is looked for in each name. What its first pair of brackets encloses is the
            group; all that it matches, where it has no brackets.

    Raises:
        RequestError: it is no regular expression, or fits no name.
    """
    try:
        search = re.compile(pattern).search
    except (re.error, RecursionError, OverflowError) as error:
        raise RequestError(
            "--group {pattern!r} is no regular expression ({problem}). One that takes what stands before the first "
            "underscore in a file's name: '([^/_]+)_[^/]*$'.",
            pattern=pattern,
            problem=error,
        ) from error
    matches = [search(name) for name in names]
    groups = ["" if match is None else (match[1] if match.re.groups else match[0]) or "" for match in matches]
    left = [name for name, group in zip(names, groups, strict=True) if not group]
    if len(left) == len(names):
        raise RequestError(
            "--group {pattern!r} fits no name of a picture; the first one is {name!r}.",
            pattern=pattern,
            name=names[0] if names else "",
        )
    if not left:
        return groups, []
    return groups, [
        Message(
            "{count:,} of {all:,} pictures are in no group: --group {pattern!r} fits none of {names}.",
            count=len(left),
            all=len(names),
            pattern=pattern,
            names=some(left),
        )
    ]


def _placed(labels: NDArray[np.int32], parts: NDArray[np.int8], texts: list[str], found: Classes) -> NDArray[np.int32]:
    """Each label as its place among the classes."""
    placed = np.full(len(labels), UNLABELLED, np.int32)
    known = {name: place for place, name in enumerate(found.names)}
    for part in (UNDIVIDED, TRAIN, VAL, TEST):
        here = np.flatnonzero((parts == part) & (labels >= 0))
        if not len(here):
            continue
        table = np.full(len(texts), UNLABELLED, np.int32)
        for code in np.unique(labels[here]):
            text = texts[code]
            table[code] = known[text] if part in (UNDIVIDED, TRAIN) else found.place(text, WHERE[part])
        placed[here] = table[labels[here]]
    return placed


def _rare(labels: NDArray[np.int32], classes: tuple[str, ...]) -> list[Message]:
    """What is to be said of classes with no picture to train on, or one."""
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    notes = []
    if none := [classes[place] for place in np.flatnonzero(counts == 0)]:
        notes.append(Message("Classes without a picture to train on: {names}.", names=some(none)))
    if single := [classes[place] for place in np.flatnonzero(counts == 1)]:
        notes.append(Message("Classes with one picture to train on: {names}.", names=some(single)))
    return notes


def _others(others: int, skipped: Sequence[Skipped]) -> Message | str:
    if skipped:
        return Message(
            "; {others:,} others, and {skipped:,} passed over, as {name}: {why}",
            others=others,
            skipped=len(skipped),
            name=skipped[0].name,
            why=skipped[0].why,
        )
    return Message("; {others:,} others", others=others) if others else ""
