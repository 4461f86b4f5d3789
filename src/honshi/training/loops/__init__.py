"""The loops: what trains one epoch. All give the numbers of `honshi.training.epoch`, each for a case that it knows.

compiled.py is for the lecture's own case on a CPU, captured.py for honshi's own networks on a CUDA device, path.py for
the optimizer that takes all images at once, and
`honshi.training.distributed` for several processes. Everything else takes the readable loop itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from torch import nn
from torch.optim import Optimizer

from honshi.data.batches import Batches, OnDevice
from honshi.evaluation.answers import Criterion
from honshi.training.distributed import SharedBatches, SharedEpochs
from honshi.training.epoch import train_epoch
from honshi.training.loops.captured import captured_epochs
from honshi.training.loops.compiled import compiled_epochs
from honshi.training.loops.path import path_epochs
from honshi.training.progress import Progress
from honshi.training.step import Step


class Loop(Protocol):
    """Trains one model on one set of mini-batches, an epoch a call."""

    def __call__(
        self,
        *,
        epoch: int = 1,
        on_step: Callable[[int], None] | None = None,
        progress: Progress | None = None,
    ) -> tuple[float, float]:
        """As `honshi.training.epoch.train_epoch`, with what that is given beforehand."""


def choose_loop(
    model: nn.Module, criterion: Criterion, optimizer: Optimizer, batches: Batches | OnDevice, step: Step
) -> Loop:
    """The quickest loop that trains this as the readable one would."""
    if isinstance(batches, SharedBatches):
        return SharedEpochs(model, criterion, optimizer, batches, step).train_epoch
    path = path_epochs(model, criterion, optimizer, batches, step)
    if path is not None:
        return path.train_epoch
    compiled = compiled_epochs(model, criterion, optimizer, batches, step)
    if compiled is not None:
        return compiled.train_epoch
    captured = captured_epochs(model, criterion, optimizer, batches, step)
    if captured is not None:
        return captured.train_epoch
    return partial(train_epoch, model, criterion, optimizer, batches, step=step)
