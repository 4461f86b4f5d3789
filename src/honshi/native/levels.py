"""The kinds of processor for which the C code comes compiled with the package.

Which of them this processor is, torch has found out already: it chooses its own kernels so, by the processor's
instructions and by what the system keeps of its registers, in containers and under emulators too. Its environment
variable ATEN_CPU_CAPABILITY (default, avx2, avx512) names another one, and honshi follows.

torch is asked when something is to be loaded, and not when this is imported: a build has none.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """Processors that have some instructions in common.

    Attributes:
        name: in the names of files.
        title: as people call them.
        flags: what tells the compiler of them.
        capability: how torch calls them; None where it has to know nothing.
    """

    name: str
    title: str
    flags: tuple[str, ...] = ()
    capability: str | None = None


# Exactly what torch looks for before it gives a processor that name.
_AVX2 = ("-mavx2", "-mfma")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
# The best first; the last runs everywhere.
X86_64 = (
    Level("avx512", "AVX-512", _AVX512, "AVX512"),
    Level("avx2", "AVX2 with FMA", _AVX2, "AVX2"),
    Level("baseline", "any x86-64"),
)
ARM64 = (Level("baseline", "any arm64"),)


def levels_of(machine: str) -> tuple[Level, ...]:
    """Those of a kind of machine, the best first, by one of the names that systems have for it."""
    return {"x86_64": X86_64, "amd64": X86_64, "aarch64": ARM64, "arm64": ARM64}.get(machine.lower(), ())


def runnable() -> list[Level]:
    """The levels whose code this processor runs, the best first."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    levels = levels_of(platform.machine())
    best = next((place for place, level in enumerate(levels) if level.capability in (capability, None)), len(levels))
    return list(levels[best:])
