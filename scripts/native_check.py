"""`make native-check`: whether the C code compiles without a warning for the machines that honshi is for, and computes.

    python -m scripts.native_check

Each compiler that is here takes part: gcc and clang of this machine, Debian's cross-compilers (gcc-aarch64-linux-gnu,
gcc-mingw-w64-x86-64), and zig from PyPI (ziglang), which holds clang and what macOS and Windows need to link. A library
is made for every level. A program that calls every function (tests/native/driver.c) is made too; where it can run,
here, under qemu-user or under wine, its numbers must be those of the first compiler within rounding. What is not
installed is said and left out.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from honshi.native.compiler import CompilerError, compile_library, libraries_for, suffix_for
from honshi.native.levels import Level, levels_of, runnable

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "honshi" / "native").glob("*.c"))
DRIVER = ROOT / "tests" / "native" / "driver.c"
CALLED = ("kernels.c", "mlp_sgd.c")  # by the driver
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wvla", "-Werror")
# Numbers of one size, of which some hundred are added up in another order.
NEAR = 1e-4
HERE = platform.machine()


@dataclass(frozen=True)
class Target:
    """A compiler, and the kind of machine that it compiles for.

    Attributes:
        name: for people.
        compiler: the words of its command.
        machine, system: as Python calls them.
        runner: what runs a program of such a machine here; None where nothing does.
    """

    name: str
    compiler: tuple[str, ...]
    machine: str
    system: str
    runner: tuple[str, ...] | None

    @property
    def missing(self) -> bool:
        if "ziglang" in self.compiler:
            return importlib.util.find_spec("ziglang") is None
        return shutil.which(self.compiler[0]) is None


def zig(target: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "ziglang", "cc", "-target", target)


TARGETS = (
    Target("gcc", ("gcc",), HERE, sys.platform, ()),
    Target("clang", ("clang",), HERE, sys.platform, ()),
    Target(
        "gcc, arm64", ("aarch64-linux-gnu-gcc",), "aarch64", "linux", ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")
    ),
    # Its vectors lie where the processor does not accept them, unless they are moved as if they might.
    Target("gcc, Windows", ("x86_64-w64-mingw32-gcc", "-Wa,-muse-unaligned-vector-move"), "amd64", "win32", ("wine",)),
    Target("zig, glibc 2.17", zig("x86_64-linux-gnu.2.17"), "x86_64", "linux", () if HERE == "x86_64" else None),
    Target(
        "zig, Linux arm64",
        zig("aarch64-linux-gnu.2.17"),
        "aarch64",
        "linux",
        ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"),
    ),
    Target("zig, macOS arm64", zig("aarch64-macos"), "arm64", "darwin", None),
    Target("zig, macOS x86-64", zig("x86_64-macos"), "x86_64", "darwin", None),
    Target("zig, Windows", zig("x86_64-windows-gnu"), "amd64", "win32", ("wine",)),
)


def main() -> int:
    reference: list[tuple[str, float]] = []
    failed = False
    for target in TARGETS:
        if target.missing:
            print(f"{target.name}: not here")
            continue
        for level in levels_of(target.machine):
            said, numbers = tried(target, level)
            problem = said if said else differing(reference, numbers) if numbers and reference else ""
            reference = reference or numbers
            ran = "compiles, and computes the same" if numbers else "compiles, and cannot be run here"
            print(f"{target.name}, {level.title}: {problem or ran}", flush=True)
            failed = failed or bool(problem)
    return int(failed)


def tried(target: Target, level: Level) -> tuple[str, list[tuple[str, float]]]:
    """What went wrong; and what the driver printed, if it ran."""
    with tempfile.TemporaryDirectory(prefix="honshi-") as name:
        folder = Path(name)
        compiler = [*target.compiler, *WARNINGS]
        for source in SOURCES:
            (folder / source.name).write_bytes(source.read_bytes())
            library = source.stem + suffix_for(target.system)
            try:
                compile_library(compiler, folder, source.name, library, level.flags, target.system)
            except CompilerError as error:
                return f"{source.name}: {error.problem}", []
        program = folder / "driver.exe"
        sources = [str(DRIVER), *CALLED]
        flags = ["-std=gnu11", "-O3", "-Wno-psabi", *level.flags, "-o", program.name]
        command = [*target.compiler, *flags, *sources, *libraries_for(target.system)]
        built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if built.returncode:
            return f"the driver: {built.stderr}", []
        if not runs(target, level):
            return "", []
        done = subprocess.run([*(target.runner or ()), str(program)], capture_output=True, text=True)
        if done.returncode:
            return f"the driver ended with {done.returncode}: {done.stderr}", []
        return "", [(line.split()[0], float(line.split()[1])) for line in done.stdout.splitlines()]


def runs(target: Target, level: Level) -> bool:
    """Whether a program for such a processor runs here."""
    if target.runner is None or (target.runner and shutil.which(target.runner[0]) is None):
        return False
    emulated = bool(target.runner) and target.runner[0] != "wine"
    return emulated or level in runnable()


def differing(reference: Sequence[tuple[str, float]], numbers: Sequence[tuple[str, float]]) -> str:
    """Where two runs of the driver differ by more than rounding; nothing where they do not."""
    if len(reference) != len(numbers):
        return f"{len(numbers)} numbers, not {len(reference)}"
    for (name, expected), (other, found) in zip(reference, numbers, strict=True):
        if name != other or not abs(found - expected) <= NEAR * max(1.0, abs(expected)):
            return f"{name} is {found}, not {expected}"
    return ""


if __name__ == "__main__":
    os.environ.setdefault("WINEDEBUG", "-all")
    sys.exit(main())
