"""What is said of someone's own pictures before a training: what they were taken for, and what became of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from honshi.data.listing import TEST, UNLABELLED, Listing
from honshi.data.parts.settle import Settled
from honshi.data.splits import Told
from honshi.data.store import Mapped
from honshi.files import home, not_written, sha256, write_whole
from honshi.messages import Message

# Of pictures and classes that something is said of, so many are named.
NAMED = 5


def told_of(listing: Listing, images: Mapped, settled: Settled, size: int | None) -> tuple[Told, ...]:
    """What they were taken for, to what they are brought, and how they are divided.

    Args:
        listing: what the source holds.
        images: what could be read of it.
        settled: their parts.
        size: that was asked for, if one was.
    """
    taken = Message(
        "{kind}: {count:,} pictures in {classes:,} classes",
        kind=listing.kind,
        count=len(listing),
        classes=len(listing.classes),
    )
    told = [Told(Message("source"), (taken, *_skipped(listing, images)))]
    # A size that was not chosen here was asked for, by the user or by the backbone.
    chosen = "" if size is not None else Message(" (chosen from the pictures; --size N for another)")
    brought = Message("{form}, {fit}{chosen}", form=images.form.sentence, fit=images.form.fit, chosen=chosen)
    told.append(Told(Message("pictures"), (brought,)))
    told.append(Told(Message("exam"), _exam(listing, settled)))
    if listing.groups is not None:
        groups = len(set(listing.groups) - {""})
        told.append(
            Told(Message("groups"), (Message("{groups:,} groups; none is torn apart by a split", groups=groups),))
        )
    return tuple(told)


def notes_of(
    listing: Listing,
    images: Mapped,
    settled: Settled,
    asked: float | None,
    train: NDArray[np.int64],
    val: NDArray[np.int64],
) -> tuple[Message, ...]:
    """What gives to think about.

    Args:
        listing, images, settled: as for `told_of`.
        asked: the share that was asked for the exam, if one was.
        train, val: places of the training and of the validation part.
    """
    notes = [*listing.notes]
    names = images.names
    notes.extend(
        note
        for note in (
            _share(settled, asked),
            _left_out(
                "{count:,} pictures are left out of training, because they are set aside for the exam since honshi "
                "divided them: {names}.",
                settled.sealed_elsewhere,
                names,
            ),
            _left_out(
                "{count:,} new pictures are left out, because they belong together (a copy, the same group) with "
                "pictures for training and with pictures of the exam: {names}.",
                settled.between,
                names,
            ),
            _left_out(
                "{count:,} pictures are left out of training, because pictures of the same group were set aside for "
                "the exam before the groups were named: {names}.",
                settled.torn,
                names,
            ),
            None
            if settled.compared
            else Message(
                "These are too many pictures to look for copies that were saved again or moved: only files that are "
                "equal byte by byte are kept on one side of a split."
            ),
        )
        if note is not None
    )
    labels = images.labels.numpy()
    exam_labels = labels[settled.parts == TEST]
    if (listing.parts == TEST).any():
        published = listing.labels[listing.parts == TEST]
        exam_labels = published[published != UNLABELLED].astype(np.int64)
    notes.extend(_classes(images.classes, labels[train], labels[val], exam_labels))
    if not len(exam_labels) and not (listing.parts == TEST).any():
        notes.append(
            Message(
                "There is no exam: too few of these pictures are new, or they all belong together. Those that were "
                "trained on before never come into one."
            )
        )
    return tuple(notes)


def _skipped(listing: Listing, images: Mapped) -> Iterable[Message]:
    skipped = [(one.name, one.why) for one in listing.skipped] + list(images.skipped)
    if not skipped:
        return ()
    lines = "".join(f"{name}: {why}\n" for name, why in skipped).encode("utf-8", "surrogateescape")
    path = home() / "skipped" / f"{sha256(os.fsencode(listing.name))[:16]}.txt"
    unwritten = not_written(lambda: write_whole(path, lines))
    named = (Message("{name}: {why}", name=name, why=why) for name, why in skipped[:NAMED])
    count = Message("{count:,} were passed over:", count=len(skipped))
    if len(skipped) > NAMED and unwritten is None:
        return (count, *named, Message("… and {more:,} others, all in {path}", more=len(skipped) - NAMED, path=path))
    return (count, *named)


def _exam(listing: Listing, settled: Settled) -> tuple[Message, ...]:
    if (listing.parts == TEST).any():
        labelled = int(((listing.parts == TEST) & (listing.labels != UNLABELLED)).sum())
        if not labelled:
            return (
                Message(
                    "the test pictures have no labels, as in a competition: there is nothing to score them by, and "
                    "honshi predict RUN --csv FILE writes the answers"
                ),
            )
        return (Message("{count:,} pictures, as published; sealed until honshi test", count=labelled),)
    sealed, new = settled.parts == TEST, int((settled.new & (settled.parts == TEST)).sum())
    told = [
        Message(
            "{count:,} of {all:,} pictures are set aside, {new:,} of them now; they stay so, whatever is added, moved "
            "or renamed",
            count=int(sealed.sum()),
            all=len(sealed),
            new=new,
        )
    ]
    if settled.copies:
        told.append(Message("{copies:,} pictures are copies of others; copies are on one side", copies=settled.copies))
    return tuple(told)


def _share(settled: Settled, asked: float | None) -> Message | None:
    if asked is None or settled.share is None or settled.share == asked:
        return None
    return Message(
        "--test {asked:g} changes nothing: these pictures were divided with {kept:g} when they were first seen, and "
        "what is sealed stays sealed. New pictures are divided with {kept:g} too.",
        asked=asked,
        kept=settled.share,
    )


def _left_out(sentence: str, which: NDArray[np.bool_], names: Sequence[str]) -> Message | None:
    places = np.flatnonzero(which).tolist()
    return Message(sentence, count=len(places), names=_some([names[place] for place in places])) if places else None


def _classes(
    classes: Sequence[str], train: NDArray[np.int64], val: NDArray[np.int64], exam: NDArray[np.int64]
) -> Iterable[Message]:
    """Which classes a part has no picture of."""
    counts = [np.bincount(labels, minlength=len(classes)) for labels in (train, val, exam)]
    parts = (Message("training"), Message("validation"), Message("the exam"))
    for part, count in zip(parts, counts, strict=True):
        missing = [name for name, number in zip(classes, count.tolist(), strict=True) if not number]
        if missing and count.any():
            yield Message("No picture in {part} of: {names}.", part=part, names=_some(missing))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
