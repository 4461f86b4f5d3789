"""Whether two exams hold the same pictures, though these were brought to another size or some were added since.

An exam is known by its pixels, which another size changes. Of pictures of someone's own it is known too what each is
before that. The keys of an exam that was opened are kept in the user's data folder, under their hash, which stands in
the ledger.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from honshi.files import home, read_bounded, write_whole

# From this share of its pictures on an exam counts as opened. Two data sets may have a few pictures in common.
SHARED = 0.1
# Bytes of a key, and of the keys of ten million pictures.
KEY_BYTES, MOST_BYTES = 32, 1 << 29


def name_of(keys: NDArray[np.uint8]) -> str:
    """By what a set of pictures stands in the ledger: the hash of their sorted keys, uint8 (n, 32)."""
    return hashlib.sha256(_sorted(keys)).hexdigest()


def keep(keys: NDArray[np.uint8]) -> None:
    """Keep which pictures an exam has, before it is opened.

    Raises:
        WriteError: they cannot be written down.
    """
    write_whole(_path(name_of(keys)), _sorted(keys))


def shared(keys: NDArray[np.uint8], name: str) -> float:
    """The part of some pictures, within [0, 1], that is in the exam of this name."""
    if not len(keys):
        return 0.0
    if name == name_of(keys):
        return 1.0
    try:
        content = read_bounded(_path(name), MOST_BYTES)
    except OSError:
        return 0.0  # it cannot be told any more
    others = {content[start : start + KEY_BYTES] for start in range(0, len(content), KEY_BYTES)}
    return sum(key.tobytes() in others for key in keys) / len(keys)


def _sorted(keys: NDArray[np.uint8]) -> bytes:
    return b"".join(sorted(key.tobytes() for key in keys))


def _path(name: str) -> Path:
    return home() / "exams" / f"{name}.keys"
