"""Loss and right answers of an epoch, added up on the device where they arise and read once, at its end.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from honshi.evaluation.answers import classes_of
from honshi.training.progress import Progress


class Tally:
    """Sums over the steps of an epoch.

    Attributes:
        loss_sum, right: over images.
        finite_steps: how many of these steps there were until the loss was no longer finite.
        finite: whether it has been finite at every step.
    """

    def __init__(self, device: torch.device) -> None:
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.right = torch.zeros((), dtype=torch.int64, device=device)
        self.finite_steps = torch.zeros((), dtype=torch.int64, device=device)
        self.finite = torch.ones((), dtype=torch.bool, device=device)

    def begin(self, progress: Progress) -> None:
        """Go on from there, in the same memory, which a CUDA graph writes to."""
        self.loss_sum.fill_(progress.loss_sum)
        self.right.fill_(progress.right)
        self.finite_steps.fill_(progress.steps)
        self.finite.fill_(True)

    def end(self, progress: Progress) -> None:
        """Read the sums, for which the device has to be waited for."""
        progress.loss_sum, progress.right = float(self.loss_sum), int(self.right)

    @torch.no_grad()
    def note(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a step: its mean loss, logits (b, k), and labels (b,) or after mixup probabilities (b, k)."""
        answered, true = classes_of(logits, labels)
        self.loss_sum += loss.detach() * len(labels)
        self.right += (answered == true).sum()
        self.finite &= loss.isfinite()
        self.finite_steps += self.finite
