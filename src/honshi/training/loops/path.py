"""The loop of the regularisation path: an epoch is the best weights for one strength, found with all images at once.

Shapes: n images; k classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from honshi.data.batches import Batches, OnDevice
from honshi.errors import ArgumentError
from honshi.evaluation.answers import Criterion, ask, loss_to_learn_from
from honshi.models.modes import train_mode
from honshi.optimizers import Path
from honshi.training.progress import Progress, diverged
from honshi.training.step import Step


class PathEpochs:
    """Trains a model by `Path` with all images at once, which stay in memory for it."""

    def __init__(
        self, model: nn.Module, criterion: Criterion, optimizer: Path, batches: Batches | OnDevice, step: Step
    ) -> None:
        """
        Raises:
            ArgumentError: a schedule, an average or clipped gradients were asked for, which belong to mini-batches.
        """
        if step.schedule is not None or step.averaging is not None or step.clip_grad_norm is not None:
            raise ArgumentError(
                "The optimizer Path finds the best weights for all images at once: schedule, averaging and "
                "clip_grad_norm belong to mini-batches."
            )
        self.model, self.criterion, self.optimizer, self.batches, self.step = model, criterion, optimizer, batches, step
        self._held: tuple[Tensor, Tensor] | None = None

    def train_epoch(
        self, *, epoch: int = 1, on_step: Callable[[int], None] | None = None, progress: Progress | None = None
    ) -> tuple[float, float]:
        """As `honshi.training.epoch.train_epoch`; loss and accuracy are those of the weights that were found."""
        train_mode(self.model)
        progress = progress or Progress()
        inputs, labels = self._all()

        def loss() -> Tensor:
            with self.step.autocast:
                logits = ask(self.model, inputs, len(labels))
                return loss_to_learn_from(self.criterion, logits, labels)

        value = self.optimizer.solve(loss, epoch).item()
        if not math.isfinite(value):
            raise diverged(epoch, 1, float(self.optimizer.param_groups[0]["lr"]), value)
        with torch.no_grad():
            progress.note(value, ask(self.model, inputs, len(labels)), labels)
        if on_step is not None:
            on_step(progress.steps)
        return progress.means()

    def _all(self) -> tuple[Tensor, Tensor]:
        """Inputs (n, …) and labels of all images: the same ones in each epoch, unless they are changed at random."""
        changes = isinstance(self.batches, Batches) and self.batches.augment is not None
        if self._held is None or changes:
            inputs, labels = zip(*self.batches, strict=True)
            self._held = torch.cat(inputs), torch.cat(labels)
        return self._held


def path_epochs(
    model: nn.Module, criterion: Criterion, optimizer: Optimizer, batches: Batches | OnDevice, step: Step
) -> PathEpochs | None:
    """The loop of the path, where the optimizer is one."""
    return PathEpochs(model, criterion, optimizer, batches, step) if isinstance(optimizer, Path) else None
