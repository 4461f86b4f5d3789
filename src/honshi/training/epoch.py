"""One epoch of mini-batch gradient descent: the lecture's train().

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from honshi.data.batches import Batch, class_numbers
from honshi.errors import ModelError, NonFiniteLossError
from honshi.evaluation.evaluate import Criterion
from honshi.models.modes import full_precision
from honshi.training.averaging import Averaging


def train_epoch(
    model: nn.Module,
    criterion: Criterion,
    optimizer: Optimizer,
    batches: Iterable[Batch],
    *,
    schedule: LRScheduler | None = None,
    clip_grad_norm: float | None = None,
    averaging: Averaging | None = None,
    reduced: AbstractContextManager[Any] | None = None,
    epoch: int = 1,
    on_step: Callable[[int], None] | None = None,
) -> tuple[float, float]:
    """Take one step of ``optimizer`` for each mini-batch.

    Args:
        model: inputs (b, …) to logits (b, k); it is set to training mode and left there.
        criterion: logits and labels to their mean loss.
        optimizer: over the model's parameters.
        batches: (inputs, labels), on the model's device; labels (b,), or after mixup probabilities (b, k).
        schedule: stepped after every mini-batch.
        clip_grad_norm: scale the gradients down to this norm where theirs is larger.
        averaging: takes note of the weights after every step.
        reduced: a ``torch.autocast`` for forward pass and loss.
        epoch: its number, for the error message.
        on_step: called with the number of mini-batches done.

    Returns:
        Mean loss and accuracy over the images, each measured just before the step that learnt from it. Of a
        mixed image the answer is right where it is the label of the larger share.

    Raises:
        NonFiniteLossError: before the step that would have spoilt the weights.
        ModelError: there are no images.
    """
    model.train()
    loss_sum, count = 0.0, 0
    answers: list[Tensor] = []
    solutions: list[Tensor] = []
    for step, (inputs, labels) in enumerate(batches, start=1):
        with reduced or nullcontext():
            logits = full_precision(model(inputs))
            loss = criterion(logits, labels)

        value = loss.item()
        if not math.isfinite(value):
            where = f"loss became {value} at epoch {epoch}, step {step}"
            raise NonFiniteLossError(where, epoch, step, float(optimizer.param_groups[0]["lr"]))

        optimizer.zero_grad()
        loss.backward()
        if clip_grad_norm is not None:
            clip_grad_norm_(model.parameters(), clip_grad_norm)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        if averaging is not None:
            averaging.note_step()

        # Sums over images, divided once at the end: the last small batch weighs what it should.
        loss_sum += value * len(labels)
        count += len(labels)
        # Compared with the labels after the epoch: one operation a step instead of three.
        answers.append(logits.argmax(1))
        solutions.append(class_numbers(labels))
        if on_step is not None:
            on_step(step)
    if not count:
        raise ModelError("There are no images to train on.")
    correct = (torch.cat(answers) == torch.cat(solutions)).sum()
    return loss_sum / count, int(correct) / count
