"""Looking at a model without changing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients; afterwards every layer is back in the mode that it was in.

    Each layer by itself, because a model may be in training mode with some of its layers frozen.
    """
    modes: list[tuple[nn.Module, bool]] = []
    # Where all are in eval mode already, as for one prediction after the other, there is nothing to change.
    if _trains(model):
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _trains(module: nn.Module) -> bool:
    """Whether it or a layer below it is in training mode; for one image `modules()` would take a tenth of the time."""
    return module.training or any(_trains(child) for child in module._modules.values() if child is not None)


def full_precision(numbers: Tensor) -> Tensor:
    """What was computed with 16 bits as float32, all else as it is: a loss, or a variance, needs more than 3 digits."""
    return numbers.float() if numbers.dtype in (torch.bfloat16, torch.float16) else numbers
