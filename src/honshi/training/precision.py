"""In what steps are computed, where the recipe leaves it open: float32, or bfloat16 where that is quicker here.

A processor with instructions for bfloat16 takes half of the time for a product of large matrices, and for a small
network still no less than with float32, because numbers have to be converted. So a few steps are timed before the
training, on copies.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from honshi.data.batches import Batches
from honshi.data.examples import Examples
from honshi.errors import HonshiError
from honshi.evaluation.answers import Criterion, ask, loss_to_learn_from
from honshi.messages import Message
from honshi.models.modes import train_mode
from honshi.native.layers import compiled_layers
from honshi.runtime import device_of, seeded
from honshi.runtime.bfloat16 import has_bfloat16

Precision: TypeAlias = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
# After so long nothing more is timed, or after so many steps of each, and at the earliest after so few.
SECONDS, MOST, FEWEST = 0.18, 12, 2
# Where a first step takes longer than this, kernels that are made for it included, fewer images stand for all.
LONG_SECONDS, FEWEST_IMAGES = 0.06, 16
# What bfloat16 must take of float32's time at most: it rounds to three digits, which has to be worth it.
WORTH = 0.95


@dataclass(frozen=True)
class PrecisionChoice:
    """What steps are computed in, and why.

    Attributes:
        used: what it is.
        why: a sentence without a full stop.
        seconds: what forward and backward pass of a mini-batch took in each; empty where that was not measured.
    """

    used: Precision
    why: Message
    seconds: dict[Precision, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What ``environment.json`` records."""
        return {"used": self.used, "why": self.why.english, "seconds_per_step": dict(self.seconds)}


def choose_precision(model: nn.Module, criterion: Criterion, train: Examples, batch_size: int) -> PrecisionChoice:
    """What is quicker for this training on the device where the model is; in about 0.2 s.

    Nothing that the training depends on is changed: not the model, nor what anyone draws from at random.

    Args:
        model: images (b, c, h, w) to logits (b, k).
        criterion: logits and labels to their mean loss.
        train: of which the first images are used.
        batch_size: of the training.
    """
    device = device_of(model)
    if not has_bfloat16(device):
        return PrecisionChoice("float32", Message("{device} has no instructions for bfloat16", device=_named(device)))
    try:
        with seeded(0, device), torch.enable_grad():
            [(inputs, labels)] = islice(Batches(train, batch_size, device=device), 1)
            count, seconds = _step_seconds(copy.deepcopy(model), criterion, inputs, labels)
    except (RuntimeError, ValueError, HonshiError):
        # The training will say in words what is wrong.
        return PrecisionChoice("float32", Message("a step could not be timed"))
    used: Precision = "bfloat16" if seconds["bfloat16"] < WORTH * seconds["float32"] else "float32"
    why = Message(
        "measured with {count} images, a step takes {bfloat16:.3g} ms in bfloat16 and {float32:.3g} ms in float32",
        count=count,
        bfloat16=1000 * seconds["bfloat16"],
        float32=1000 * seconds["float32"],
    )
    return PrecisionChoice(used, why, seconds)


def _step_seconds(
    model: nn.Module, criterion: Criterion, inputs: Tensor, labels: Tensor
) -> tuple[int, dict[Precision, float]]:
    """With how many images it was measured, and the least time of a step in each precision, in turn."""
    train_mode(model)

    def timed(precision: Precision) -> float:
        return _timed(lambda: _step(model, criterion, inputs, labels, precision), inputs.device)

    with compiled_layers(model):
        # The first one of each makes kernels and takes memory; the training needs them too.
        began = time.perf_counter()
        first = timed("float32")
        if first > LONG_SECONDS:
            count = max(FEWEST_IMAGES, int(len(labels) * LONG_SECONDS / first / 2))
            inputs, labels = inputs[:count], labels[:count]
        least = {precision: timed(precision) for precision in PRECISIONS}
        for done in range(MOST):
            if done >= FEWEST and time.perf_counter() - began > SECONDS:
                break
            for precision in PRECISIONS:
                least[precision] = min(least[precision], timed(precision))
    return len(labels), least


def _step(model: nn.Module, criterion: Criterion, inputs: Tensor, labels: Tensor, precision: Precision) -> None:
    """Forward and backward pass; what an optimizer does with it is float32 in both."""
    model.zero_grad()
    with torch.autocast(inputs.device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext():
        loss = loss_to_learn_from(criterion, ask(model, inputs, len(labels)), labels)
    loss.backward()


def _timed(step: Callable[[], None], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def _named(device: torch.device) -> Message:
    return Message("this CPU") if device.type == "cpu" else Message("{device}", device=device)
