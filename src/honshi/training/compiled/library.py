"""The C code of this room as a library: compiled for this very processor when it is first used, then kept.

A wheel could only carry code for the processors of everyone. Compiling takes a second, once for each
version of the source, compiler and processor; the result lies in the user's data folder.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

from honshi.files import home, sha256

SOURCE = "mlp_sgd.c"
# Products may be contracted to fused multiply-adds, which only rounds less; nothing else is given up.
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC")


@cache
def library() -> ctypes.CDLL | None:
    """The compiled library; None where there is no C compiler, or none that takes the source."""
    compiler = find_compiler()
    if compiler is None:
        return None
    source = (resources.files(__package__) / SOURCE).read_bytes()
    key = sha256(b"\0".join([source, *(text.encode() for text in (compiler, *FLAGS, _processor()))]))
    path = home() / "compiled" / f"mlp_sgd-{key[:16]}.so"
    try:
        if not path.exists():
            _compile(compiler, source, path)
        loaded = ctypes.CDLL(str(path))
    except (OSError, subprocess.SubprocessError):
        return None
    _declare(loaded)
    return loaded


def find_compiler() -> str | None:
    """The path of the C compiler: what ``CC`` names, else cc, gcc or clang."""
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    return next((found for name in names if (found := shutil.which(name))), None)


def _compile(compiler: str, source: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
        (Path(folder) / SOURCE).write_bytes(source)
        command = [compiler, *FLAGS, "-o", path.name, SOURCE, "-lpthread", "-lm"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
        # Whole or not at all, also where two processes begin at once.
        (Path(folder) / path.name).replace(path)


def _processor() -> str:
    """What tells processors apart that need other machine code."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    return "\n".join(
        [platform.machine(), platform.processor(), *(line for line in lines if line.startswith(("flags", "Features")))]
    )


def _declare(loaded: ctypes.CDLL) -> None:
    """The signatures in the C file."""
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
