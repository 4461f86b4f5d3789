"""The C compiler: which one there is, and what it makes of a source."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from honshi.messages import Message

# Products are contracted to fused multiply-adds, which only rounds less; nothing else is given up. All of them are: of
# a long chain gcc leaves some out for many processors, which by the form of the loop around them are others, so that a
# sum would hang on how the rows are dealt to threads. Vectors longer than the processor's are passed to functions that
# are all inlined: there is no interface to warn of.
_CODE = (
    *("-std=gnu11", "-O3", "-ffp-contract=fast", "--param=avoid-fma-max-bits=0", "-fno-math-errno"),
    *("-Wno-psabi", "-Wno-unused-command-line-argument", "-shared"),
)
# For this very processor; compilers for arm64 have another name for it.
NATIVE = ("-mcpu=native",) if platform.machine().lower() in ("arm64", "aarch64") else ("-march=native",)


def flags_for(system: str) -> tuple[str, ...]:
    """What a compiler is told besides the processor, by Python's name for the system of the library."""
    return _CODE if system == "win32" else (*_CODE, "-fPIC")


def libraries_for(system: str) -> tuple[str, ...]:
    """What a library is linked with: nothing but what every system has."""
    return () if system == "win32" else ("-lpthread", "-lm")


def suffix_for(system: str) -> str:
    """How the name of a library ends."""
    return {"win32": ".dll", "darwin": ".dylib"}.get(system, ".so")


# A second or two are usual; on a slow machine that is busy ten times as many.
LIMIT_SECONDS = 30.0


class CompilerError(Exception):
    """The compiler has not made a library of a source.

    Attributes:
        problem: what went wrong.
        hangs: it did not end, and will not for another source either.
    """

    def __init__(self, problem: Message, *, hangs: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hangs = hangs


def find_compiler() -> list[str] | None:
    """The C compiler, its path and the arguments to begin with: what ``CC`` says, else cc, gcc or clang.

    On Windows clang alone: of gcc's vectors some lie on the stack there where the processor does not accept them.
    """
    asked = os.environ.get("CC")
    known = [["clang"]] if sys.platform == "win32" else [["cc"], ["gcc"], ["clang"]]
    with suppress(ValueError):  # quotes that do not end
        for command in [_words(asked)] if asked else known:
            path = shutil.which(command[0]) if command else None
            if path is not None:
                return [path, *command[1:]]
    return None


def _words(command: str) -> list[str]:
    """
    Raises:
        ValueError: quotes that do not end.
    """
    if sys.platform == "win32":  # where a backslash is no escape
        return [word.strip('"') for word in shlex.split(command, posix=False)]
    return shlex.split(command)


def version_of(compiler: str) -> tuple[str, str, str]:
    """What changes where another compiler takes its place: the file behind its name, and its size and age."""
    path = Path(compiler).resolve()
    with suppress(OSError):
        facts = path.stat()
        return str(path), str(facts.st_size), str(facts.st_mtime_ns)
    return str(path), "", ""


def compile_library(
    compiler: Sequence[str], folder: Path, source: str, name: str, processor: Sequence[str], system: str = sys.platform
) -> Path:
    """What a compiler makes of a source in a folder of its own.

    Args:
        compiler: as `find_compiler` gives it.
        folder: where the source is, and the library will be.
        source, name: of the files.
        processor: the flags of the processor that it is for.
        system: that it is for, by Python's name.

    Raises:
        CompilerError: the compiler fails, cannot be started or does not end.
    """
    command = [*compiler, *flags_for(system), *processor, "-o", name, source, *libraries_for(system)]
    said = folder / "said"
    with said.open("wb") as stream:
        try:
            # A session of its own, so that all the processes that it starts can be ended with it.
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise CompilerError(Message("it cannot be started ({error}).", error=error)) from error
    try:
        code = process.wait(LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        problem = Message("it has not ended within {seconds:g} seconds.", seconds=LIMIT_SECONDS)
        raise CompilerError(problem, hangs=True) from None
    finally:
        _end(process)
    if code:
        with said.open("rb") as stream:
            lines = stream.read(1 << 16).decode(errors="replace").splitlines()
        told = next((line.strip() for line in lines if "error" in line), lines[0].strip() if lines else "")
        raise CompilerError(Message("it ended with code {code} ({told}).", code=code, told=told or "without a word"))
    made = folder / name
    if not made.is_file():
        raise CompilerError(Message("it has said nothing and made nothing."))
    return made


def _end(process: subprocess.Popen[bytes]) -> None:
    """A compiler, and all that it has started, if they have not ended yet."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
