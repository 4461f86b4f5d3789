"""C code of honshi as a library: compiled for this very processor when it is first used, then kept.

A wheel could only carry code for the processors of everyone. Compiling takes a second, once for each
version of the source, compiler and processor; the result lies in the user's data folder.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeAlias

from honshi.files import home, sha256

# Products may be contracted to fused multiply-adds, which only rounds less; nothing else is given up.
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC")
LIBRARIES = ("-lpthread", "-lm")


# What C functions take and give.
pointer = ctypes.c_void_p
int32, int64 = ctypes.c_int, ctypes.c_int64
float32, float64 = ctypes.c_float, ctypes.c_double
# What a function gives, None for void, and what it takes.
Signature: TypeAlias = tuple[Any, list[Any]]


def load(source: Traversable, signatures: Mapping[str, Signature]) -> ctypes.CDLL | None:
    """The library of a C file; None where there is no C compiler, or none that takes it.

    Args:
        source: the file.
        signatures: of its functions, by their names.
    """
    compiler = find_compiler()
    if compiler is None:
        return None
    content = source.read_bytes()
    key = sha256(b"\0".join([content, *(text.encode() for text in (compiler, *FLAGS, _processor()))]))
    path = home() / "compiled" / f"{source.name.removesuffix('.c')}-{key[:16]}.so"
    try:
        if not path.exists():
            _compile(compiler, source.name, content, path)
        library = ctypes.CDLL(str(path))
    except (OSError, subprocess.SubprocessError):
        return None
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@cache
def parallel() -> int | None:
    """The address of ``GOMP_parallel``, which hands work to the threads that torch uses; None where there is none.

    torch makes its OpenMP known to the whole process. A second one beside it would fight over the cores.
    """
    found = getattr(ctypes.CDLL(None), "GOMP_parallel", None) if sys.platform == "linux" else None
    return ctypes.cast(found, pointer).value if found else None


def find_compiler() -> str | None:
    """The path of the C compiler: what ``CC`` names, else cc, gcc or clang."""
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    return next((found for name in names if (found := shutil.which(name))), None)


def _compile(compiler: str, name: str, content: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
        (Path(folder) / name).write_bytes(content)
        command = [compiler, *FLAGS, "-o", path.name, name, *LIBRARIES]
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
