"""Loading what a command needs, which takes longer than most of what it does."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """A block that imports: inside, nobody looks for garbage among a million new objects, which all stay.

    It takes a tenth of the time of loading torch.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        # Nor is it looked for among them later.
        gc.freeze()
