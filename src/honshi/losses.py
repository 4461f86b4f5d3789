"""Part 3 of the lecture: the loss.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from honshi.arguments import check_range
from honshi.errors import ArgumentError, RecipeError
from honshi.recipe import CrossEntropyOptions


class CrossEntropy(nn.Module):
    """Cross-entropy on logits, as a mean over images.

    Without class weights it is ``torch.nn.CrossEntropyLoss``. With them, torch divides by the sum of
    the weights in the batch, so that a mean over batches is not the mean over the data; here the
    weights are scaled beforehand to average 1 over the training data, and the division is by b. So
    losses of batches add up exactly, whatever their size.

    Label smoothing is that of Szegedy et al., "Rethinking the Inception Architecture", 2015.
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, label_smoothing: float = 0.0) -> None:
        """
        Args:
            weight: float (k,), one for each class.
            label_smoothing: the probability that is spread evenly over all classes.

        Raises:
            ArgumentError: the weights are not weights, or nothing is left of the labels.
        """
        check_range("label_smoothing", label_smoothing, below=1)
        if weight is not None and (weight.dim() != 1 or not bool((weight >= 0).all() & (weight < math.inf).all())):
            raise ArgumentError(
                "weight has a number for each class, each at least 0, and not {value!r}.", value=weight.tolist()
            )
        super().__init__()
        self.register_buffer("weight", weight)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (b, k) and labels to a scalar; labels are int64 (b,) or probabilities of classes (b, k)."""
        if self.weight is None:
            return cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        total = cross_entropy(logits, labels, weight=self.weight, label_smoothing=self.label_smoothing, reduction="sum")
        return total / len(labels)

    def masses(self, labels: Tensor, rows: Tensor, classes: int) -> Tensor:
        """What -log p of each class is multiplied by in the mean loss over some rows.

        Args:
            labels: int64 (n,).
            rows: int64, those that the mean is over.
            classes: k.

        Returns:
            float32 (n, k), 0 for all other rows.
        """
        found = torch.zeros(len(labels), classes, device=labels.device)
        found[rows] = self.label_smoothing / classes
        found[rows, labels[rows]] += 1 - self.label_smoothing
        return found / len(rows) * (1 if self.weight is None else self.weight)


def build(options: CrossEntropyOptions, class_counts: Sequence[int]) -> CrossEntropy:
    """The loss that a recipe asks for.

    Args:
        options: the recipe's ``loss``.
        class_counts: training images of each class (k).

    Raises:
        RecipeError: the recipe gives another number of weights than there are classes, or only zeros.
    """
    if options.class_weights is None:
        return CrossEntropy(label_smoothing=options.label_smoothing)
    counts = torch.tensor(class_counts, dtype=torch.float32)  # (k,), as the weights
    if options.class_weights == "balanced":
        # A class without images takes no part, rather than an infinite one.
        weight = torch.where(counts > 0, 1 / counts.clamp(min=1), 0.0)
    else:
        if len(options.class_weights) != len(counts):
            raise RecipeError(
                "loss.class_weights has {weights} weights and the data {classes} classes.",
                weights=len(options.class_weights),
                classes=len(counts),
            )
        weight = torch.tensor(options.class_weights, dtype=torch.float32)
    mean = (weight * counts).sum() / counts.sum()
    if not mean > 0:
        raise RecipeError("loss.class_weights are 0 for every class that has images: nothing would be learnt.")
    return CrossEntropy(weight / mean, options.label_smoothing)


def guessing_loss(options: CrossEntropyOptions, class_counts: Sequence[int]) -> float:
    """The loss of the best answer that does not look at the image.

    Args:
        options, class_counts: as for `build`.
    """
    counts = torch.tensor(class_counts, dtype=torch.float64)
    return _lowest(_weighted(counts / counts.sum(), options, class_counts))


def floor(options: CrossEntropyOptions, class_counts: Sequence[int]) -> float:
    """The lowest mean loss that is possible: 0, or what label smoothing makes of it.

    Args:
        options, class_counts: as for `build`.
    """
    counts = torch.tensor(class_counts, dtype=torch.float64)
    certain = torch.eye(len(counts), dtype=torch.float64)  # (k, k), a row for each class
    lowest = [_lowest(_weighted(label, options, class_counts)) for label in certain]
    return float(torch.tensor(lowest, dtype=torch.float64) @ (counts / counts.sum()))


def _weighted(labels: Tensor, options: CrossEntropyOptions, class_counts: Sequence[int]) -> Tensor:
    """What each class's -log p is multiplied by in the loss, of probabilities of labels (k,)."""
    smoothed = (1 - options.label_smoothing) * labels + options.label_smoothing / len(labels)
    weight = build(options, class_counts).weight
    return smoothed if weight is None else smoothed * weight.double()


def _lowest(masses: Tensor) -> float:
    """The minimum of -Σ m log p over probabilities p: where they are in the proportion of the masses m (k,)."""
    total = masses.sum()
    return float(torch.special.entr(masses).sum() + torch.xlogy(total, total))
