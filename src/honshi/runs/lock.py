"""Only one training at a time in a run's folder.

The lock is the system's own, on ``events.jsonl``: however its holder ends, it is free then. Where a file system has no
locks, as some that machines share, the events themselves have to tell (`honshi.runs.status`).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

# Whoever looks whether there is a lock holds it for microseconds.
PATIENCE_SECONDS = 1.0

if sys.platform == "win32":
    import msvcrt

    # A range that is locked cannot be read there, so it lies where no event will be.
    _PLACE = 0x7FFFFFF0

    def _lock(descriptor: int, *, shared: bool) -> None:
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def acquire(descriptor: int) -> bool | None:
    """Take the lock on a file that is open; it is held until that is closed, or the process ends.

    Returns:
        Whether it was free; None where there are no locks.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        taken = _try(descriptor, shared=False)
        if taken is not False or time.monotonic() > until:
            return taken
        time.sleep(0.01)


def held(path: Path) -> bool | None:
    """Whether anyone has the lock on a file; None where nobody can tell."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        free = _try(descriptor, shared=True)
    finally:
        os.close(descriptor)
    return None if free is None else not free


def _try(descriptor: int, *, shared: bool) -> bool | None:
    try:
        _lock(descriptor, shared=shared)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True
