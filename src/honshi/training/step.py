"""What a step of the training does beside its forward and backward pass; the same value in every loop."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from honshi.errors import ArgumentError
from honshi.messages import first_line
from honshi.training.averaging import Averaging

_AS_IT_IS: AbstractContextManager[Any] = nullcontext()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: ``with step.autocast:`` around forward pass and loss, `update` after the backward pass.

    ``Step()`` is the lecture's: the optimizer's step and nothing else.

    Attributes:
        schedule: moves the learning rate after each step; ReduceLROnPlateau after each epoch.
        clip_grad_norm: gradients of a larger norm than this are scaled down to it.
        averaging: takes note of the weights after each step.
        autocast: a ``torch.autocast``, or what leaves everything as it is.
    """

    schedule: LRScheduler | None = None
    clip_grad_norm: float | None = None
    averaging: Averaging | None = None
    autocast: AbstractContextManager[Any] = _AS_IT_IS

    def update(self, optimizer: Optimizer, parameters: Iterable[Tensor]) -> None:
        """Take the step that the gradients say.

        Raises:
            ArgumentError: the optimizer does not take such gradients, or the schedule is at its end.
        """
        self.clip(parameters)
        try:
            optimizer.step()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ArgumentError(
                "{kind} cannot take a step of this model: {problem}. Choose another optimizer, such as "
                "torch.optim.Adam.",
                kind=type(optimizer).__name__,
                problem=first_line(error),
            ) from error
        self.follow()

    def clip(self, parameters: Iterable[Tensor]) -> None:
        """Scale the gradients down where their norm is too large."""
        if self.clip_grad_norm is not None:
            clip_grad_norm_(parameters, self.clip_grad_norm)

    def follow(self) -> None:
        """What comes after the optimizer's step: learning rate and average.

        Raises:
            ArgumentError: the schedule is at its end, or cannot say what follows.
        """
        if self.schedule is not None and not isinstance(self.schedule, ReduceLROnPlateau):
            try:
                self.schedule.step()
            except (ValueError, TypeError, ArithmeticError) as error:
                raise ArgumentError(
                    "{kind} does not go on to the training's end: {problem}. It is stepped after every mini-batch: "
                    "make it for as many steps.",
                    kind=type(self.schedule).__name__,
                    problem=first_line(error),
                ) from error
        if self.averaging is not None:
            self.averaging.note_step()

    def end_epoch(self, val_loss: float) -> None:
        """What comes after an epoch: the one schedule that goes by the validation loss."""
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(val_loss)
