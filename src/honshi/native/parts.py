"""Which compiled parts are used on this machine, and why the others are not."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace

import torch

from honshi.messages import Message, word
from honshi.native import kernels, mlp_sgd
from honshi.native.library import Library, parallel


@dataclass(frozen=True)
class Part:
    """One C file.

    Attributes:
        name: what it computes.
        used: whether it does so here, on the CPU, for what it knows.
        why: in a sentence; where it is used, where it comes from.
        level: as of its `Library`.
        shipped: whether it came with the package.
    """

    name: str
    used: bool
    why: Message
    level: str | None = None
    shipped: bool = False


def parts() -> list[Part]:
    """All of them; what is not compiled yet is compiled now."""
    return [
        _part(word("epochs of the lecture's network"), mlp_sgd.library()),
        _layers(),
        _sums(),
    ]


def _part(name: str, library: Library) -> Part:
    return Part(name, library.code is not None, library.why, library.level, library.shipped)


def _layers() -> Part:
    part = _part(word("layers of convolutional networks"), kernels.library())
    threads = torch.get_num_threads()
    if not part.used or parallel() is not None or threads == 1:
        return part
    why = Message(
        "It is compiled, but torch computes with {threads} threads here and has none to lend (GOMP_parallel): used "
        "with OMP_NUM_THREADS=1.",
        threads=threads,
    )
    return replace(part, used=False, why=why)


def _sums() -> Part:
    name = word("sums between processes")
    if sys.platform != "linux" or not hasattr(os, "memfd_create"):
        return Part(name, False, Message("Processes share memory on Linux alone."))
    from honshi.native import shared_sum  # needs what only Unix has

    return _part(name, shared_sum.library())
