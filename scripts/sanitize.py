"""`make sanitize`: the tests of the compiled code, with each access to memory, each operation and each thread watched.

    python -m scripts.sanitize
    python -m scripts.sanitize address

address    AddressSanitizer and UndefinedBehaviorSanitizer: memory beside an array or given back, arithmetic that C
           leaves open.
thread     ThreadSanitizer: two threads at the same memory without order between them.

The C is compiled with them by gcc, on Linux, and Python loads their runtime first. Before the tests a small faulty
library shows that what is wrong is seen. Of memory that is never given back nothing is asked: Python and torch keep a
lot of it until the end on purpose.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = (
    "tests/native/test_kernels.py",
    "tests/native/test_convolution.py",
    "tests/native/test_max_pool.py",
    "tests/native/test_layers.py",
    "tests/native/test_mlp_sgd.py",
    "tests/native/test_shared_sum.py",
    "tests/training/loops/test_compiled.py",
)
# What a sanitizer must see, called as wrong() by Python.
OUTSIDE = """#include <stdlib.h>
volatile int place = 1;
int wrong(void) { int *one = malloc(sizeof(int)); return one[place]; }
"""
RACE = """#include <pthread.h>
static int shared;
static void *add(void *nothing) { shared++; return nothing; }
int wrong(void) { pthread_t other; pthread_create(&other, 0, add, 0); shared++; pthread_join(other, 0); return shared; }
"""


@dataclass(frozen=True)
class Sanitizer:
    """One of gcc's.

    Attributes:
        flags: with which it compiles.
        runtime: the library that must be loaded before all others.
        options: of the runtime, by environment variable.
        faulty: a source, and what may be said of it.
        arguments: of pytest.
        launcher: in front of Python.
    """

    flags: str
    runtime: str
    options: dict[str, str]
    faulty: tuple[str, tuple[str, ...]]
    arguments: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ()


SANITIZERS = {
    "address": Sanitizer(
        "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g",
        "libasan.so",
        {"ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1", "UBSAN_OPTIONS": "print_stacktrace=1"},
        (OUTSIDE, ("heap-buffer-overflow", "insufficient space")),
    ),
    "thread": Sanitizer(
        "-fsanitize=thread -fno-omit-frame-pointer -g",
        "libtsan.so",
        # torch's own threads wait for one another in ways that it does not see.
        {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1 halt_on_error=1 allocator_may_return_null=1"},
        (RACE, ("data race",)),
        ("-p", "tests.native.own_threads"),
        # It needs to know where in memory what lies.
        ("setarch", "-R"),
    ),
}


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in SANITIZERS]:
        print(f"There is no {', '.join(unknown)}; there are {', '.join(SANITIZERS)}.")
        return 2
    if sys.platform != "linux" or shutil.which("gcc") is None:
        print("Not done: this needs Linux and gcc.")
        return 0
    for name in names or list(SANITIZERS):
        if code := watched(name, SANITIZERS[name]):
            return code
    return 0


def watched(name: str, sanitizer: Sanitizer) -> int:
    """Run the tests with one sanitizer; the exit code."""
    runtime = _file(sanitizer.runtime)
    if not runtime.is_absolute():
        print(f"{name}: not done, gcc has no {sanitizer.runtime} here.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            **sanitizer.options,
            "CC": f"gcc {sanitizer.flags}",
            "HONSHI_COMPILE": "1",
            "HONSHI_HOME": folder,
            # torch's errors are exceptions of C++, which the runtime looks for when it is loaded.
            "LD_PRELOAD": f"{runtime} {_file('libstdc++.so.6')}",
        }
        python = [*sanitizer.launcher, sys.executable]
        source, faults = sanitizer.faulty
        path = Path(folder) / "faulty.c"
        path.write_text(source)
        code = (
            "import sys, pathlib; from honshi.native.library import load; "
            "load(pathlib.Path(sys.argv[1]), {}).code.wrong()"
        )
        seen = subprocess.run(
            [*python, "-c", code, str(path)], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        if seen.returncode == 0 or not any(fault in seen.stderr for fault in faults):
            print(f"{name}: a fault that is there on purpose is not seen.\n{seen.stderr}")
            return 1
        print(f"{name}: what is wrong is seen. The tests:", flush=True)
        tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *sanitizer.arguments, *TESTS]
        return subprocess.run([*python, *tests], cwd=ROOT, env=environment).returncode


def _file(name: str) -> Path:
    """Where gcc has a library; the name alone where it has none."""
    said = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return Path(said.stdout.strip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
