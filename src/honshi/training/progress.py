"""Where an epoch stands, and how a training is asked to end within it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from honshi.data.batches import Batch
from honshi.errors import ModelError, NonFiniteLossError
from honshi.evaluation.answers import check_labels, check_loss, classes_of
from honshi.messages import Message
from honshi.training.draws import Draws


class Stop(Exception):  # noqa: N818  # it is not an error
    """Raise it in ``on_step`` or ``on_epoch`` of `fit`: the training ends after that step, and can go on from there.

    The compiled loop asks ``on_step`` after a block of steps alone, and of several processes all end a few steps later.
    """


@dataclass
class Progress:
    """What has been seen of an epoch.

    Attributes:
        steps: mini-batches.
        images: in them.
        loss_sum: over these images.
        right: answers to them.
        lr: learning rate at the first step.
        seconds: spent on them.
        draws: what the epoch draws from.
        drawn_before, drawn_after: its state before the first mini-batch and, where the training was ended within the
            epoch, after the last one.
    """

    steps: int = 0
    images: int = 0
    loss_sum: float = 0.0
    right: int = 0
    lr: float = 0.0
    seconds: float = 0.0
    draws: Draws | None = None
    drawn_before: dict[str, Any] = field(default_factory=dict)
    drawn_after: dict[str, Any] = field(default_factory=dict)
    # Answers that are not compared with their labels yet.
    _answers: list[tuple[Tensor, Tensor]] = field(default_factory=list, repr=False)

    def begin(self, lr: float) -> None:
        """Note what the epoch begins with; of one that was ended within, go back to that."""
        if self.draws is None:
            return
        if self.steps:
            self.draws.go_on_from(self.drawn_before)
        else:
            self.lr, self.drawn_before = lr, self.draws.state()

    def remaining(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The mini-batches that are still to come. Those before are drawn once more and passed over."""
        coming = iter(batches)
        for _ in range(self.steps):
            next(coming, None)
        if self.draws is not None:
            self.draws.go_on_from(self.drawn_after)
        return coming

    def note(self, loss: float, logits: Tensor, labels: Tensor) -> None:
        """Add a mini-batch, before its step is taken.

        Args:
            loss: the mean over its images.
            logits, labels: as `honshi.evaluation.answers` pairs them.

        Raises:
            ModelError: these labels do not go with these logits; or, seen at the first mini-batch, with this loss.
        """
        if not self.steps:
            classes_of(logits, labels)
            check_labels(logits, labels)
            check_loss(loss, logits, labels)
        self.steps += 1
        # Sums over images, divided once at the end: the last small batch weighs what it should.
        self.images += len(labels)
        self.loss_sum += loss * len(labels)
        # Compared with the labels after the epoch: one operation a step instead of three.
        self._answers.append(classes_of(logits, labels))

    def go_back_to(self, earlier: Progress) -> None:
        """Forget what has been seen since then."""
        self.steps, self.images = earlier.steps, earlier.images
        self.loss_sum, self.right = earlier.loss_sum, earlier.right

    def settle(self) -> None:
        """Compare all answers with their labels."""
        if self._answers:
            answered, true = map(torch.cat, zip(*self._answers, strict=True))
            self.right += int((answered == true).sum())
            self._answers.clear()

    def means(self) -> tuple[float, float]:
        """Loss and accuracy over the images.

        Raises:
            ModelError: there were none.
        """
        if not self.images:
            raise ModelError("There are no images to train on.")
        self.settle()
        return self.loss_sum / self.images, self.right / self.images


def diverged(epoch: int, step: int, lr: float, loss: float | None = None) -> NonFiniteLossError:
    """What is raised where a step's loss was not finite; ``loss`` where it is known."""
    if loss is None:
        problem = Message("loss became infinite or not a number at epoch {epoch}, step {step}", epoch=epoch, step=step)
    else:
        problem = Message("loss became {loss} at epoch {epoch}, step {step}", loss=loss, epoch=epoch, step=step)
    return NonFiniteLossError(problem, epoch, step, lr)
