"""The C code of Muon's steps: which matrices it takes, and its call.

Shapes: a weight (r, …) counts as a matrix (r, c).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from honshi.native.library import Library, Signature, float64, int32, int64, load, parallel, pointer
from honshi.native.tensors import address, is_plain

# Where the shorter side is longer, torch's products keep all cores busy, and little is left to win.
LARGEST = 128
# From so many numbers on, in all matrices together, a second thread is worth it.
GRAIN = 1 << 12


class CompiledSteps:
    """Steps of small matrices on a CPU."""

    def __init__(self, code: ctypes.CDLL, coefficients: tuple[float, float, float]) -> None:
        self.code = code
        self.coefficients = (float64 * 3)(*coefficients)

    def supports(self, weight: Tensor, momentum: Tensor) -> bool:
        """Whether it knows a matrix: float32, small enough, and weight, gradient and momentum in memory alike."""
        gradient = weight.grad
        if gradient is None or weight.dim() < 2:
            return False
        layout = _layout(weight)
        rows = len(weight)
        return (
            all(
                is_plain(tensor)
                and tensor.dtype == torch.float32
                and tensor.shape == weight.shape
                and tensor.is_contiguous(memory_format=layout)
                for tensor in (weight, gradient, momentum)
            )
            and 0 < min(rows, weight.numel() // max(1, rows)) <= LARGEST
        )

    def step(self, matrices: Sequence[tuple[Tensor, Tensor]], group: dict[str, Any]) -> None:
        """Take a step of each, (weight, momentum), as the group of the optimizer has it.

        No two may lie in the same memory: they are stepped side by side.
        """
        largest_first = sorted(matrices, key=lambda pair: -pair[0].numel())
        numbers: list[int] = []
        for weight, momentum in largest_first:
            if weight.grad is None:
                raise ValueError("needs a gradient of each matrix")
            addresses = [
                address(tensor, torch.float32, weight.shape, _layout(weight))
                for tensor in (weight, weight.grad, momentum)
            ]
            numbers += [*addresses, len(weight), weight.numel() // len(weight)]
        given = (int64 * len(numbers))(*numbers)
        scratch = torch.empty(self.code.muon_scratch(given, len(matrices)), dtype=torch.float32, device="cpu")
        several = len(matrices) > 1 and sum(weight.numel() for weight, _ in matrices) > GRAIN
        self.code.muon_step(
            given,
            len(matrices),
            scratch.data_ptr(),
            float(group["lr"]),
            group["momentum"],
            group["weight_decay"],
            self.coefficients,
            parallel(),
            torch.get_num_threads() if several else 1,
        )
        increment_version([tensor for pair in matrices for tensor in pair])


def _layout(weight: Tensor) -> torch.memory_format:
    return torch.channels_last if weight.dim() == 4 and not weight.is_contiguous() else torch.contiguous_format


@cache
def compiled_steps(coefficients: tuple[float, float, float]) -> CompiledSteps | None:
    """The compiled iteration with such coefficients; None where it cannot be compiled."""
    code = library().code
    return None if code is None else CompiledSteps(code, coefficients)


@cache
def library() -> Library:
    """The C file, compiled."""
    signatures: dict[str, Signature] = {
        "muon_scratch": (int64, [pointer, int64]),
        "muon_step": (None, [pointer, int64, pointer, float64, float64, float64, pointer, pointer, int32]),
    }
    return load(resources.files(__package__) / "muon.c", signatures)
