"""The examples that the checks look at: enough to judge by, few enough for seconds.

Shapes: n examples in a sample, each of any shape; k classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sample:
    """Some training examples, as a model is shown them.

    Attributes:
        inputs: (n, …), in the type in which they came.
        labels: (n, …), in the type in which they came.
        all_labels: of as many examples as could be looked at without effort; of `Examples`, all.
        constant: how many of those have the same value in each pixel.
        classes: k, where the data tell it.
        loader_batches: labels of the first batches, where the data are a loader that does not shuffle.
        count: all training examples; None where that is not known, as of a stream.
        batch_size: the loader's own.
        drop_last: whether the loader leaves out a last batch that is not whole.
    """

    inputs: Tensor
    labels: Tensor
    all_labels: Tensor
    constant: int
    classes: int | None = None
    loader_batches: tuple[Tensor, ...] = ()
    count: int | None = None
    batch_size: int | None = None
    drop_last: bool = False

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: torch.device) -> Self:
        """The same sample on a device."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))

    @property
    def binary(self) -> bool:
        """Whether labels can be those of one output: a number from 0 to 1 for each example."""
        labels = self.all_labels
        return labels.numel() == len(labels) and float(labels.min()) >= 0 and float(labels.max()) <= 1

    def last_batch(self, batch_size: int) -> int | None:
        """How many images the last batch of an epoch has; None where that is not known.

        Args:
            batch_size: of the training; a loader has its own.
        """
        size = self.batch_size or batch_size
        if self.count is None or self.drop_last:
            return None
        return self.count % size or size

    def first(self, count: int) -> tuple[Tensor, Tensor]:
        """Inputs and labels of the first ``count`` examples, or of all where there are fewer."""
        return self.inputs[:count], self.labels[:count]

    def batches(self, batch_size: int, steps: int, examples: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """So many whole batches of the first ``examples``, in a new order each time that they are gone through.

        Where there are not enough examples for a batch, it is of all that there are.
        """
        count = min(examples or len(self), len(self))
        batch_size = min(batch_size, count)
        order = torch.empty(0, dtype=torch.int64)
        for _ in range(steps):
            if len(order) < batch_size:
                order = torch.randperm(count)
            places = order[:batch_size].to(self.inputs.device)
            order = order[batch_size:]
            yield self.inputs[places], self.labels[places]
