"""The C code of this room, ready to be called."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import resources

from honshi.compiling import compiled


@cache
def library() -> ctypes.CDLL | None:
    """The compiled library, None where it cannot be compiled; with the signatures that the C file has."""
    loaded = compiled(resources.files(__package__) / "mlp_sgd.c")
    if loaded is None:
        return None
    pointer, whole, number = ctypes.c_void_p, ctypes.c_int, ctypes.c_float
    loaded.mlp_new.argtypes = [whole, pointer, whole, number, number]
    loaded.mlp_new.restype = pointer
    loaded.mlp_free.argtypes = [pointer]
    loaded.mlp_free.restype = None
    for function in (loaded.mlp_load, loaded.mlp_store):
        function.argtypes = [pointer, whole, pointer, pointer]
        function.restype = None
    loaded.mlp_index.argtypes = [pointer, ctypes.c_int64, whole, number, pointer, pointer]
    loaded.mlp_index.restype = None
    loaded.mlp_train.argtypes = [pointer] * 6 + [ctypes.c_int64, whole, number, whole, pointer, pointer]
    loaded.mlp_train.restype = ctypes.c_int64
    return loaded
