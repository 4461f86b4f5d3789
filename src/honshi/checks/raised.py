"""An error of the user's own code, in words: what it says, and where in their files it arose."""

from __future__ import annotations

import sysconfig
import traceback
from functools import cache
from pathlib import Path

import torch

from honshi.messages import Message, first_line


def place_of(error: BaseException) -> str:
    """Where in the user's own file an error arose, `` (net.py, line 12)``, or nothing."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if is_users_own(frame.filename):
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
    return ""


def is_users_own(file: str) -> bool:
    """Whether a line of a traceback is in a file of the user's, rather than of a library's."""
    path = Path(file)
    return path.suffix == ".py" and not any(path.is_relative_to(library) for library in _libraries())


@cache
def _libraries() -> tuple[Path, ...]:
    """Folders of Python, of what is installed, and of honshi and torch wherever those lie."""
    installed = {Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")}
    return (*installed, Path(torch.__file__).parent, Path(__file__).parents[1])


def in_words(error: BaseException) -> Message:
    """`` (net.py, line 12) ValueError: what it says.``, to stand after who raised it."""
    return Message("{place} {error}.", place=place_of(error), error=first_line(error))
