"""Whether a device has instructions for bfloat16, numbers of 16 bits with the range of float32."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")
# What /proc/cpuinfo calls such instructions: of x86-64, and of ARM.
FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies matrices of bfloat16 by instructions of its own.

    Without them torch computes all the same, in several times the time of float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False  # nothing is known of it
    flags = _flags()
    if flags is not None:
        return bool(flags & FLAGS)
    # Not Linux. Of ARM's, Apple's have them from the M2 on, and torch makes no use of them.
    return platform.machine().lower() in ("amd64", "x86_64") and torch.cpu._is_avx512_bf16_supported()


def _flags() -> set[str] | None:
    """What the processor can do, as Linux says it; None where it does not."""
    try:
        lines = CPUINFO.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, flags = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(flags.split())
    return None
