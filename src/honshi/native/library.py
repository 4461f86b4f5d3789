"""C code of honshi as a library: compiled for this very processor when it is first used, then kept.

A wheel could only carry code for the processors of everyone. Compiling takes a second, once for each
version of the source, compiler and processor; the result lies in the user's data folder.

A kept library has the hash of its content in its name, and is loaded only where the two agree: what is damaged is
compiled anew. A compiler that failed is left alone for a day.
"""

from __future__ import annotations

import ctypes
import json
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeAlias

from honshi.errors import HonshiWarning, WriteError
from honshi.files import home, sha256, write_json, write_whole
from honshi.messages import Message
from honshi.native.compiler import FLAGS, CompilerError, compile_library, find_compiler, version_of

# When a compiler that failed is tried again.
FORGOTTEN_SECONDS = 24 * 60 * 60
# A library has some ten thousand bytes: what is larger is none, and is not read.
LARGEST_BYTES = 1 << 24

# What C functions take and give.
pointer = ctypes.c_void_p
int32, int64 = ctypes.c_int, ctypes.c_int64
float32, float64 = ctypes.c_float, ctypes.c_double
# What a function gives, None for void, and what it takes.
Signature: TypeAlias = tuple[Any, list[Any]]


@dataclass(frozen=True)
class Library:
    """What has become of a C file.

    Attributes:
        code: its functions; None where they cannot be had.
        why: that they are there, or why not.
    """

    code: ctypes.CDLL | None
    why: Message


def load(source: Traversable, signatures: Mapping[str, Signature]) -> Library:
    """The library of a C file, kept or compiled.

    Warns with one sentence where time is lost: because compiling has failed, or because nothing can be kept.

    Args:
        source: the file.
        signatures: of its functions, by their names.
    """
    compiler = find_compiler()
    if compiler is None:
        return Library(None, Message("There is no C compiler here: cc, gcc or clang, or what CC names."))
    content = source.read_bytes()
    described = (*compiler, *version_of(compiler[0]), *FLAGS, _processor())
    folder = home() / "compiled"
    name = source.name.removesuffix(".c")
    kept = f"{name}-{_key(content, *described)}"
    # A compiler that does not end will not end for another source either.
    hanging = f"compiler-{_key(b'', *described)}"
    code = _kept(folder, kept, signatures)
    if code is not None:
        return Library(code, Message("Compiled for this processor by {compiler}.", compiler=compiler[0]))
    for failed in (hanging, kept):
        problem = _remembered(folder / f"{failed}.failed")
        if problem is not None:
            return Library(None, problem)
    try:
        library = _compile(compiler, source.name, content, signatures, folder / kept)
    except CompilerError as error:
        why = Message(
            "The C compiler {compiler} has not compiled {source}: {problem} honshi does without it, which takes "
            "longer. It is tried again after a day, or with another compiler: CC=… names one.",
            compiler=compiler[0],
            source=source.name,
            problem=error.problem,
        )
        with suppress(WriteError):
            _remember(folder / f"{hanging if error.hangs else kept}.failed", why)
    except OSError as error:
        why = Message(
            "{source} cannot be compiled here: {problem}. honshi does without it, which takes longer.",
            source=source.name,
            problem=error,
        )
    else:
        return library
    warnings.warn(HonshiWarning(why), stacklevel=2)
    return Library(None, why)


@cache
def parallel() -> int | None:
    """The address of ``GOMP_parallel``, which hands work to the threads that torch uses; None where there is none.

    torch makes its OpenMP known to the whole process. A second one beside it would fight over the cores.
    """
    found = getattr(ctypes.CDLL(None), "GOMP_parallel", None) if sys.platform == "linux" else None
    return ctypes.cast(found, pointer).value if found else None


def _kept(folder: Path, name: str, signatures: Mapping[str, Signature]) -> ctypes.CDLL | None:
    """The library that was kept under a name; what is there in its place and damaged is removed."""
    with suppress(OSError):
        for path in sorted(folder.glob(f"{name}-*.so")):
            if path.is_file() and path.stat().st_size <= LARGEST_BYTES and _is_whole(path):
                with suppress(OSError, CompilerError):
                    return _opened(path, signatures)
            path.unlink()
    return None


def _is_whole(path: Path) -> bool:
    return path.stem.rpartition("-")[2] == sha256(path.read_bytes())


def _opened(path: Path, signatures: Mapping[str, Signature]) -> ctypes.CDLL:
    """
    Raises:
        OSError: it is not a library for this machine.
        CompilerError: it does not have the functions.
    """
    code = ctypes.CDLL(str(path))
    for name, (result, arguments) in signatures.items():
        function = getattr(code, name, None)
        if function is None:
            raise CompilerError(Message("it has made a library without {name}.", name=name))
        function.restype, function.argtypes = result, arguments
    return code


def _compile(
    compiler: Sequence[str], source: str, content: bytes, signatures: Mapping[str, Signature], kept: Path
) -> Library:
    """
    Raises:
        OSError: no temporary file can be written.
        CompilerError: it does not work.
    """
    with tempfile.TemporaryDirectory(prefix="honshi-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / source).write_bytes(content)
        made = compile_library(compiler, folder, source, f"{kept.name}.so")
        code = made.read_bytes()
        try:
            opened = _opened(made, signatures)
        except OSError as error:
            raise CompilerError(Message("what it made cannot be loaded ({error}).", error=error)) from error
        why = Message("Compiled for this processor by {compiler}.", compiler=compiler[0])
        try:
            write_whole(kept.with_name(f"{kept.name}-{sha256(code)}.so"), code)
        except WriteError as error:
            why = Message("Compiled, and again at each start, because it cannot be kept: {error}", error=error.message)
            warnings.warn(HonshiWarning(why), stacklevel=2)
        return Library(opened, why)


def _remember(path: Path, why: Message) -> None:
    """
    Raises:
        WriteError: it cannot be written.
    """
    write_json(path, {"at": time.time(), "why": str(why)})


def _remembered(path: Path) -> Message | None:
    """Why compiling failed, if that is not long ago."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_BYTES:
            return None
        failure = json.loads(path.read_bytes())
        # A clock that was set back does not make it longer.
        if 0 <= time.time() - failure["at"] < FORGOTTEN_SECONDS:
            return Message("{why}", why=str(failure["why"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return None


def _key(content: bytes, *texts: str) -> str:
    return sha256(b"\0".join([content, *(text.encode() for text in texts)]))[:16]


def _processor() -> str:
    """What tells processors apart that need other machine code."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    return "\n".join(
        [platform.machine(), platform.processor(), *(line for line in lines if line.startswith(("flags", "Features")))]
    )
