"""One epoch of mini-batch gradient descent: the lecture's train().

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from torch import nn
from torch.optim import Optimizer

from honshi.data.batches import Batch
from honshi.errors import ModelError
from honshi.evaluation.answers import Criterion, ask, loss_to_learn_from
from honshi.models.modes import train_mode
from honshi.runtime import threads
from honshi.training.progress import Progress, diverged
from honshi.training.step import Step


def train_epoch(
    model: nn.Module,
    criterion: Criterion,
    optimizer: Optimizer,
    batches: Iterable[Batch],
    *,
    step: Step = Step(),  # noqa: B008  # frozen
    epoch: int = 1,
    on_step: Callable[[int], None] | None = None,
    progress: Progress | None = None,
) -> tuple[float, float]:
    """Take one step of ``optimizer`` for each mini-batch.

    Args:
        model: inputs (b, …) to logits (b, k); it is set to training mode and left there.
        criterion: logits and labels to their mean loss.
        optimizer: over the model's parameters.
        batches: (inputs, labels), on the model's device; labels (b,), or after mixup probabilities (b, k).
        step: what else belongs to a step: clipping, the learning rate's schedule, averaging, autocast.
        epoch: its number, for the error message.
        on_step: called with the number of mini-batches done.
        progress: of an epoch that was ended within; it is filled as the epoch goes on.

    Returns:
        Mean loss and accuracy over the images, each measured just before the step that learnt from it. Of a
        mixed image the answer is right where it is the label of the larger share.

    Raises:
        NonFiniteLossError: before the step that would have spoilt the weights.
        ModelError: there are no images, nothing that can be scored comes out, or nothing would be learnt.
    """
    train_mode(model)
    progress = progress or Progress()
    for inputs, labels in progress.remaining(batches):
        threads.look()
        with step.autocast:
            logits = ask(model, inputs, len(labels))  # (b, k)
            loss = loss_to_learn_from(criterion, logits, labels)  # a scalar

        value = loss.item()
        if not math.isfinite(value):
            raise diverged(epoch, progress.steps + 1, float(optimizer.param_groups[0]["lr"]), value)
        progress.note(value, logits, labels)

        optimizer.zero_grad()
        loss.backward()
        if progress.steps == 1:
            _check_reached(optimizer)
        step.update(optimizer, model.parameters())
        if on_step is not None:
            on_step(progress.steps)
    return progress.means()


def _check_reached(optimizer: Optimizer) -> None:
    """Raises: ModelError, where a backward pass has left no gradient to step by."""
    if all(parameter.grad is None for group in optimizer.param_groups for parameter in group["params"]):
        raise ModelError(
            "The loss reaches none of the parameters that the optimizer holds, so nothing would be trained: "
            "it has to be computed from the model's answers."
        )
