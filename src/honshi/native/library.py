"""C code of honshi as a library: what came compiled with the package, or compiled for this very processor and kept.

A wheel carries it for several kinds of processor (shipped.py). Where it does not, as in a checkout, or where
HONSHI_COMPILE=1 asks for it, it is compiled when it is first used: that takes a second, once for each version of the
source, compiler and processor; the result lies in the user's data folder.

A kept library has the hash of its content in its name, and is loaded only where the two agree: what is damaged is
compiled anew. A compiler that failed is left alone for a day.
"""

from __future__ import annotations

import ctypes
import json
import os
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
from honshi.native.compiler import (
    NATIVE,
    CompilerError,
    compile_library,
    find_compiler,
    flags_for,
    suffix_for,
    version_of,
)
from honshi.native.shipped import NotShippedError, shipped

# An environment variable: compile for this very processor although a library came with the package.
COMPILE = "HONSHI_COMPILE"

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
        level: for which processors they are compiled, by the name of a `Level`, or "native" for this very one.
        shipped: whether they came with the package.
    """

    code: ctypes.CDLL | None
    why: Message
    level: str | None = None
    shipped: bool = False


def load(source: Traversable, signatures: Mapping[str, Signature]) -> Library:
    """The library of a C file: what came with the package, or else what is kept or compiled here.

    Warns with one sentence where time is lost: because compiling has failed, or because nothing can be kept.

    Args:
        source: the file.
        signatures: of its functions, by their names.
    """
    ways = [_shipped, _compiled_here]
    if asks_to_compile():
        ways.reverse()
    first = ways[0](source, signatures)
    if first.code is not None:
        return first
    second = ways[1](source, signatures)
    if second.code is not None:
        return second
    return Library(None, Message("{first} {second}", first=first.why, second=second.why))


def asks_to_compile() -> bool:
    """Whether the user wants code for this very processor."""
    return os.environ.get(COMPILE, "") not in ("", "0")


def _shipped(source: Traversable, signatures: Mapping[str, Signature]) -> Library:
    if not isinstance(source, Path):  # the package is in an archive
        return Library(None, Message("honshi was installed without compiled code."))
    try:
        level, path = shipped(source, source.read_bytes())
        code = _opened(path, signatures)
    except NotShippedError as error:
        return Library(None, error.problem)
    except (OSError, CompilerError) as error:
        return Library(None, Message("What came with honshi cannot be loaded ({error}).", error=error))
    return Library(code, Message("It came with honshi, for {level}.", level=level.title), level.name, shipped=True)


def _compiled_here(source: Traversable, signatures: Mapping[str, Signature]) -> Library:
    compiler = find_compiler()
    if compiler is None:
        return Library(None, Message("There is no C compiler here: cc, gcc or clang, or what CC names."))
    content = source.read_bytes()
    described = (*compiler, *version_of(compiler[0]), *flags_for(sys.platform), *NATIVE, _processor())
    folder = home() / "compiled"
    name = source.name.removesuffix(".c")
    kept = f"{name}-{_key(content, *described)}"
    # A compiler that does not end will not end for another source either.
    hanging = f"compiler-{_key(b'', *described)}"
    code = _kept(folder, kept, signatures)
    if code is not None:
        return Library(code, _compiled_by(compiler), "native")
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
        for path in sorted(folder.glob(f"{name}-*{suffix_for(sys.platform)}")):
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
        made = compile_library(compiler, folder, source, f"{kept.name}{suffix_for(sys.platform)}", NATIVE)
        code = made.read_bytes()
        try:
            opened = _opened(made, signatures)
        except OSError as error:
            raise CompilerError(Message("what it made cannot be loaded ({error}).", error=error)) from error
        why = _compiled_by(compiler)
        try:
            write_whole(kept.with_name(f"{kept.name}-{sha256(code)}{suffix_for(sys.platform)}"), code)
        except WriteError as error:
            why = Message(
                "It is compiled here, and again at each start, because it cannot be kept: {error}", error=error.message
            )
            warnings.warn(HonshiWarning(why), stacklevel=2)
        return Library(opened, why, "native")


def _compiled_by(compiler: Sequence[str]) -> Message:
    return Message("It was compiled here by {compiler}, for this very processor.", compiler=compiler[0])


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
