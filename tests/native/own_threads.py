"""A plugin of pytest for ThreadSanitizer: the kernels get threads of which it knows (own_threads.c).

python -m pytest -p tests.native.own_threads tests/native
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from honshi.native import kernels
from honshi.native.library import int32, load, pointer

SOURCE = Path(__file__).with_suffix(".c")


def address() -> int:
    """Of the function that takes the place of ``GOMP_parallel``."""
    code = load(SOURCE, {"own_threads": (None, [pointer, pointer, int32, int32])}).code
    assert code is not None
    found = ctypes.cast(code.own_threads, pointer).value
    assert found is not None
    return found


def pytest_configure() -> None:
    own = address()
    kernels.parallel = lambda: own  # type: ignore[assignment, attr-defined]
