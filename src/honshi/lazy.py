"""Names of a room that are fetched when they are first used: most need torch, and what only prints does without it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazily(room: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names live in modules that are imported when they are asked for.

    Args:
        room: the package, its ``__name__``.
        homes: by the name, the module in which it lives.
    """

    def fetch(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes[name]), name)
        # Kept, so that the next use finds it at once.
        setattr(sys.modules[room], name, value)
        return value

    return fetch
