"""The C code of this room, ready to be called."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import resources

from honshi.compiling import Signature, compiled, float32, int32, int64, pointer


@cache
def library() -> ctypes.CDLL | None:
    """The compiled library; None where it cannot be compiled."""
    signatures: dict[str, Signature] = {
        "mlp_new": (pointer, [int32, pointer, int32, float32, float32]),
        "mlp_free": (None, [pointer]),
        "mlp_load": (None, [pointer, int32, pointer, pointer]),
        "mlp_store": (None, [pointer, int32, pointer, pointer]),
        "mlp_index": (None, [pointer, int64, int32, float32, pointer, pointer]),
        "mlp_train": (int64, [*[pointer] * 6, int64, int32, float32, int32, pointer, pointer]),
    }
    return compiled(resources.files(__package__) / "mlp_sgd.c", signatures)
