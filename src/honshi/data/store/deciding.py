"""To which shape pictures are brought where that is not asked for: what they are like themselves.

The rule: pictures that all have one size of at most 128 pixels a side keep it. Others are brought to a square. Its
side is the median of their shorter sides, rounded down to a multiple of 8, and at most 64. The size of a picture counts
after it is turned as its EXIF data say. They stay grey where none of those that were looked at has colours.

Of many pictures so many are looked at that the median is known to a few per cent: those whose names have the smallest
hashes, so that one more picture changes one of them, and the same pictures give the same shape everywhere. Where one
has values of more than 8 bits all are looked at, because one scale holds for them all.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from honshi.data.listing import Listing
from honshi.data.store.form import Form, Settings, reader
from honshi.data.store.layout import MOST_BYTES, folder_of, joined, young
from honshi.errors import DataError, HonshiError
from honshi.files import not_written, read_bounded, sha256, write_json
from honshi.messages import Message
from honshi.pictures.contract import Scale
from honshi.pictures.facts import Facts
from honshi.pictures.probe import is_colourful, probe

# Pictures that are looked at before any is read.
SAMPLE = 2000
# The largest side that pictures of one size keep, and the largest that is chosen for those of many sizes.
KEPT, CHOSEN = 128, 64
# What a chosen side is a multiple of.
STEP = 8
# What was seen of a data set's pictures, in its folder.
SEEN = "seen.json"


def decide(listing: Listing, settings: Settings | None = None) -> Form:
    """To which shape the pictures of a listing are brought.

    Args:
        listing: the pictures; of those that are to be sealed only their size and kind are looked at.
        settings: what is asked for.

    Raises:
        DataError: none of those that were looked at can be read.
    """
    settings = settings or Settings()
    seen = _seen(listing, _sample(listing))
    if seen.wide and len(listing) > SAMPLE:
        seen = _seen(listing, range(len(listing)))
    size = (settings.size, settings.size) if settings.size is not None else (seen.height, seen.width)
    shape = (settings.channels or seen.channels, *size)
    return Form(shape=shape, fit=settings.fit, scale=settings.scale or seen.scale)


def usual(listing: Listing) -> tuple[int, bool]:
    """The median of the shorter sides of a listing's pictures as they are, in pixels, and whether they have colours.

    Raises:
        DataError: none of those that were looked at can be read.
    """
    seen = _seen(listing, _sample(listing))
    return seen.shorter, seen.channels == 3


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What pictures are like, taken together.

    Attributes:
        height, width: by the rule at the head of this file.
        shorter: the median of their shorter sides.
        channels: 3 where one of them has colours.
        wide: whether one of them has values of more than 8 bits.
        scale: of those.
    """

    height: int
    width: int
    shorter: int
    channels: int
    wide: bool
    scale: Scale


def _sample(listing: Listing) -> Sequence[int]:
    if len(listing) <= SAMPLE:
        return range(len(listing))
    hashes = [hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8] for name in listing.names]
    chosen: list[int] = np.sort(np.argsort(np.array(hashes), kind="stable")[:SAMPLE]).tolist()
    return chosen


def _seen(listing: Listing, places: Sequence[int]) -> _Seen:
    """What pictures are like; as long as they are the same it is looked at once.

    Raises:
        DataError: none can be read.
    """
    path = folder_of(listing.name) / SEEN
    stamps = np.ascontiguousarray(listing.stamps[list(places)], np.int64)
    names = joined([listing.names[place] for place in places])
    key = sha256(reader().encode() + names + stamps.tobytes())
    try:
        known = json.loads(read_bounded(path, MOST_BYTES))
        found = known[key]
        return _Seen(**{**found, "scale": Scale(**found["scale"])})
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        known = {}
    seen = _look(listing, places)
    if not young(stamps, time.time_ns()).any():
        not_written(lambda: write_json(path, {key: asdict(seen)}))
    return seen


def _look(listing: Listing, places: Sequence[int]) -> _Seen:
    facts, colour, problem = [], False, None
    for place in places:
        try:
            raw = listing.open(place)
            facts.append(probe(raw, listing.names[place]))
            # What can hold colours need not have any.
            colour = colour or (facts[-1].channels == 3 and is_colourful(raw, listing.names[place]))
        except HonshiError as error:
            problem = error.message
    if not facts:
        raise _unreadable(listing, len(places), problem)
    height, width = _size(facts)
    return _Seen(
        height=height,
        width=width,
        shorter=_shorter(facts),
        channels=3 if colour else 1,
        wide=any(fact.kind != "8 bit" for fact in facts),
        scale=Scale.of(facts),
    )


def _size(facts: Sequence[Facts]) -> tuple[int, int]:
    """Height and width by the rule at the head of this file."""
    sizes = {(fact.height, fact.width) for fact in facts}
    if len(sizes) == 1 and max(next(iter(sizes))) <= KEPT:
        return next(iter(sizes))
    shorter = _shorter(facts)
    side = max(1, shorter if shorter < STEP else min(shorter // STEP * STEP, CHOSEN))
    return side, side


def _shorter(facts: Sequence[Facts]) -> int:
    return int(np.median([min(fact.height, fact.width) for fact in facts]))


def _unreadable(listing: Listing, count: int, problem: Message | None) -> DataError:
    if problem is None:
        return DataError("{data}: there is no picture.", data=listing.title)
    return DataError(
        "{data}: of {count:,} pictures that were tried none can be read. The last one: {problem}",
        data=listing.title,
        count=count,
        problem=problem,
    )
