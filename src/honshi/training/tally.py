"""Loss and right answers of an epoch, added up on the device where they arise and read once, at its end.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from honshi.data.batches import class_numbers


class Tally:
    """Sums over the steps of an epoch.

    Attributes:
        loss_sum, right: over images.
        finite_steps: how many steps there were until the loss was no longer finite.
        finite: whether it has been finite at every step.
    """

    def __init__(self, device: torch.device) -> None:
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.right = torch.zeros((), dtype=torch.int64, device=device)
        self.finite_steps = torch.zeros((), dtype=torch.int64, device=device)
        self.finite = torch.ones((), dtype=torch.bool, device=device)

    def reset(self) -> None:
        """Begin anew in the same memory, which a CUDA graph writes to."""
        for tensor in (self.loss_sum, self.right, self.finite_steps):
            tensor.zero_()
        self.finite.fill_(True)

    @torch.no_grad()
    def note(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a step: its mean loss, logits (b, k), and labels (b,) or after mixup probabilities (b, k)."""
        self.loss_sum += loss.detach() * len(labels)
        self.right += (logits.argmax(1) == class_numbers(labels)).sum()
        self.finite &= loss.isfinite()
        self.finite_steps += self.finite
