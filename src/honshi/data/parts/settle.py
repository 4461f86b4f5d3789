"""Every picture gets its part: as it was decided when it was first seen, or now.

The rules, in this order. n pictures, k classes, m pictures that are gone.

1. What was decided stays. A picture that was for learning never comes into the exam, and the other way round.
2. A new picture that belongs together with pictures on one side (a copy, the same group) goes to that side; with
   pictures on both sides, to neither.
3. Of the other new pictures a share is drawn for the exam where the source has published none.
4. Pictures for learning that are in one group with pictures of the exam, because the groups were not known when they
   were divided, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from honshi.data.examples import Examples
from honshi.data.listing import TEST, TRAIN, VAL
from honshi.data.parts.alike import MOST, MOST_GONE, SMALL, copies_among, small_versions
from honshi.data.parts.division import draw, ranks_of, smallest
from honshi.data.parts.register import DRAWN, EXAM, KEY_BYTES, LEARN, OUT, PUBLISHED, UNKNOWN, Known, Register
from honshi.data.parts.units import ALONE, numbered, units_of

# The share that is set aside for the exam where nobody says otherwise.
SHARE = 0.15
# The part of a picture that is in none.
NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Pictures:
    """What has to be known of n pictures to divide them.

    Attributes:
        keys: uint8 (n, 32), what each is before it is brought to a size.
        labels: int64 (n,).
        classes: k.
        published: int8 (n,), `UNDIVIDED`, `TRAIN` or `VAL`, as the source has it.
        groups: n texts, or None; the empty one is no group.
        images: the pictures themselves, to look for copies.
        fit: how they were brought to their shape.
    """

    keys: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: int
    published: NDArray[np.int8]
    groups: Sequence[str] | None
    images: Examples
    fit: str

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, eq=False)
class Settled:
    """The part of each of n pictures.

    Attributes:
        parts: int8 (n,): `TRAIN` (of which the validation part may still be taken), `VAL`, `TEST` or `NOWHERE`.
        units: int64 (n,), equal where pictures belong together.
        new: bool (n,): seen for the first time.
        share: that the exam was drawn with; None where the source has published one.
        sealed_elsewhere: bool (n,): in the exam of pictures that were divided before, and published for learning here.
        between: bool (n,): new, and belonging together with pictures on both sides.
        torn: bool (n,): for learning, and in a group with pictures of the exam.
        compared: whether copies were looked for that are not the same bytes.
        copies: pictures that are a copy of another one here.
    """

    parts: NDArray[np.int8]
    units: NDArray[np.int64]
    new: NDArray[np.bool_]
    share: float | None
    sealed_elsewhere: NDArray[np.bool_]
    between: NDArray[np.bool_]
    torn: NDArray[np.bool_]
    compared: bool
    copies: int


@dataclass(frozen=True, eq=False)
class _Copies:
    """What a search for copies has found.

    Attributes:
        pairs: of places here; a place from n on is one of those that are gone.
        gone: uint8 (m, 32), the keys of these.
        small: of the pictures here, uint8 (n, 32, 32); None where nobody looked.
    """

    pairs: Sequence[tuple[int, int]]
    gone: NDArray[np.uint8]
    small: NDArray[np.uint8] | None

    @classmethod
    def none(cls, pictures: Pictures) -> _Copies:
        """Nothing was looked for."""
        return cls([], pictures.keys[:0], None)


def settle(pictures: Pictures, share: float | None, *, exam: bool) -> Settled:
    """Give each picture its part, and remember it for ever.

    Args:
        pictures: those at hand.
        share: for the exam, within (0, 1), where nothing was drawn before; 0.15 if left out.
        exam: whether a share of them is set aside, because the source has published no test part.

    Raises:
        WriteError: it cannot be remembered, so nothing is decided.
        DataError: what was remembered is damaged.
    """
    with Register.of_user() as register:
        known = register.look_up(pictures.keys)
        if not (known.parts == UNKNOWN).any():
            return _divided(pictures, known, _Copies.none(pictures), register.look_up(pictures.keys[:0]), share, exam)[
                0
            ]
        copies = _search(register, pictures, known)
        with register.deciding():
            # Another process may have decided since.
            known, gone = register.look_up(pictures.keys), register.look_up(copies.gone)
            settled, decided = _divided(pictures, known, copies, gone, share, exam)
            _remember(register, pictures, copies, decided, DRAWN if exam else PUBLISHED, settled.share)
    return settled


def sealed_among(keys: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of some pictures, by their keys (n, 32), are set aside for the exam."""
    with Register.of_user() as register:
        sealed: NDArray[np.bool_] = register.look_up(keys).parts == EXAM
        return sealed


def learnt_among(keys: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of some pictures, by their keys (n, 32), were for learning when honshi itself divided them."""
    with Register.of_user() as register:
        known = register.look_up(keys)
        learnt: NDArray[np.bool_] = (known.parts == LEARN) & (known.by == DRAWN)
        return learnt


def publish(keys: NDArray[np.uint8]) -> None:
    """Remember the pictures of a test part that is published, by their keys (n, 32)."""
    with Register.of_user() as register, register.deciding():
        register.decide(keys, np.full(len(keys), EXAM, dtype=np.int8), keys, by=PUBLISHED)


def _search(register: Register, pictures: Pictures, known: Known) -> _Copies:
    """Copies of the new pictures among all, and among those that are gone."""
    if len(pictures) > MOST:
        return _Copies.none(pictures)
    small = small_versions(pictures.images)
    gone, small_gone = register.small_of_others(pictures.keys, pictures.fit, SMALL, MOST_GONE)
    new = np.flatnonzero(known.parts == UNKNOWN)
    here, there = copies_among(small, pictures.labels, new, small_gone)
    return _Copies([*here, *((place, len(pictures) + other) for place, other in there)], gone, small)


@dataclass(frozen=True, eq=False)
class _Decided:
    """What there is to remember.

    Attributes:
        new: bool (n,).
        parts: int8 (n,), `LEARN`, `EXAM` or `OUT`.
        before, units: uint8 (n + m, 32), the key of the unit that each is in, as it was and as it is now; of those at
            hand and of those that are gone.
    """

    new: NDArray[np.bool_]
    parts: NDArray[np.int8]
    before: NDArray[np.uint8]
    units: NDArray[np.uint8]


def _divided(
    pictures: Pictures, known: Known, copies: _Copies, gone: Known, share: float | None, exam: bool
) -> tuple[Settled, _Decided]:
    count, published_val = len(pictures), pictures.published == VAL
    before = np.concatenate([known.units, gone.units])
    # Whoever publishes data divides them; only what honshi itself has sealed stays sealed.
    lot = known.parts if exam else np.where(known.by == DRAWN, known.parts, np.int8(UNKNOWN)).astype(np.int8)
    new = lot == UNKNOWN
    alike = units_of(len(before), [_numbers(before)], copies.pairs)  # (n + m,)
    groups = np.full(len(before), ALONE, dtype=np.int64)
    if pictures.groups is not None:
        groups[:count] = numbered(pictures.groups)
    together = units_of(len(before), [alike, groups])
    sides = np.r_[np.where(published_val, np.int8(LEARN), lot), gone.parts]
    # What a publisher has divided is held to its groups by nobody else.
    units = together if exam else alike
    learning, sealed = (_has(units, sides == side)[:count] for side in (LEARN, EXAM))
    between = new & learning & sealed & ~published_val
    parts = lot.copy()
    parts[new & learning] = LEARN
    parts[new & sealed] = EXAM
    parts[new & published_val] = LEARN
    parts[between] = OUT
    free = parts == UNKNOWN
    parts[free] = LEARN
    drawn_share = (_kept_share(known) or share or SHARE) if exam else None
    if drawn_share is not None:
        parts[_drawn(pictures, parts, known, free, together[:count], drawn_share)] = EXAM
    # Only the groups of today can say that known pictures on both sides belong together.
    named = units_of(count, [np.where(new, ALONE, groups[:count])])
    torn = exam & ~new & (parts == LEARN) & _has(named, ~new & (parts == EXAM))
    found = np.full(count, NOWHERE, dtype=np.int8)
    found[(parts == LEARN) & ~torn] = TRAIN
    found[(parts == LEARN) & ~torn & published_val] = VAL
    found[(parts == EXAM) & exam] = TEST
    # What lies between pictures on both sides makes no unit of them.
    mixed = _has(alike, np.r_[between, np.zeros(len(gone.parts), dtype=bool)])
    leaders = np.where(mixed, np.arange(len(alike)), alike)
    copied = np.bincount(alike[:count], minlength=len(alike))[alike[:count]] > 1
    settled = Settled(
        parts=found,
        units=together[:count],
        new=known.parts == UNKNOWN,
        share=drawn_share,
        sealed_elsewhere=(parts == EXAM) & (not exam),
        between=between,
        torn=torn,
        compared=count <= MOST,
        copies=int(copied.sum()),
    )
    return settled, _Decided(known.parts == UNKNOWN, parts, before, before[leaders])


def _remember(
    register: Register, pictures: Pictures, copies: _Copies, decided: _Decided, by: int, share: float | None
) -> None:
    for place in np.flatnonzero((decided.units != decided.before).any(1)).tolist():
        register.unite(decided.before[place].tobytes(), decided.units[place].tobytes())
    new = np.flatnonzero(decided.new)
    register.decide(pictures.keys[new], decided.parts[new], decided.units[new], by=by, share=share)
    if copies.small is not None:
        register.keep_small(pictures.keys, pictures.fit, copies.small)


def _numbers(keys: NDArray[np.uint8]) -> NDArray[np.int64]:
    """A number for each key (n, 32), equal where the keys are."""
    _, numbers = np.unique(np.ascontiguousarray(keys).view(f"S{KEY_BYTES}").ravel(), return_inverse=True)
    return numbers.astype(np.int64)


def _has(units: NDArray[np.int64], which: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether there is such a picture in the unit of each, (n,)."""
    found = np.zeros(len(units), dtype=bool)
    found[units[which]] = True
    return found[units]


def _kept_share(known: Known) -> float | None:
    """The share with which most of these pictures were divided before."""
    shares = known.shares[~np.isnan(known.shares)]
    if not len(shares):
        return None
    values, counts = np.unique(shares, return_counts=True)
    return float(values[counts.argmax()])


def _drawn(
    pictures: Pictures,
    parts: NDArray[np.int8],
    known: Known,
    free: NDArray[np.bool_],
    units: NDArray[np.int64],
    share: float,
) -> NDArray[np.bool_]:
    """Which of those that are free are drawn for the exam, (n,)."""
    labels, classes = pictures.labels, pictures.classes

    def of(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(labels[which], minlength=classes)

    # Also what went to a side because of its copies counts: the exam has its share of all together.
    counted = (~np.isnan(known.shares) | (known.parts == UNKNOWN)) & (parts != OUT)
    fresh = of(free)
    lacking = share * of(counted) - of(counted & (parts == EXAM))
    # Where much of an exam was removed, what is new makes up for it little by little.
    lacking = np.minimum(lacking, np.maximum(1, 2 * share * fresh))
    places = np.flatnonzero(free)
    ranks = ranks_of(pictures.keys[places])
    chosen = draw(labels[places], units[places], ranks, lacking, of((parts == LEARN) & ~free))
    if not chosen.any() and not (parts == EXAM).any() and len(np.unique(units[places])) > 2:
        chosen = smallest(labels[places], units[places], ranks, classes)
    drawn = np.zeros(len(labels), dtype=bool)
    drawn[places[chosen]] = True
    return drawn
