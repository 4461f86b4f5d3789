"""What folders, tables, columns and keys call the parts of a data set: train, val and test, and their other names."""

from __future__ import annotations

import re

from honshi.data.listing import TEST, TRAIN, VAL

# In small letters.
PART_NAMES: dict[int, tuple[str, ...]] = {
    TRAIN: ("train", "training"),
    VAL: ("val", "valid", "validation", "dev"),
    TEST: ("test", "testing"),
}
_PARTS = {name: part for part, names in PART_NAMES.items() for name in names}
# A part at the beginning of a file's name, as in train-00000-of-00002.parquet or test_labels.csv.
_LEADING = re.compile(r"([a-z]+)(?:$|[^a-z])")


def part_of(name: str) -> int | None:
    """The part that is called so, in whatever case; None if it is no name of one."""
    return _PARTS.get(name.strip().lower())


def leading_part(stem: str) -> int | None:
    """The part that the name of a file begins with, as a word of its own; None if it does with none."""
    match = _LEADING.match(stem.lower())
    return match and _PARTS.get(match[1])
