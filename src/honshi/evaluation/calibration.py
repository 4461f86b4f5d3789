"""Whether a confidence of 90 % is right nine times in ten, and making it so.

Shapes: n images; k classes; m bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from honshi.models.outputs import of_each_class

BINS = 15
# No classifier needs to be softer or harder than this.
LOWEST, HIGHEST = 0.05, 20.0


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width over [0, 1].

    Attributes:
        counts: predictions in each bin (m).
        confidence: their mean confidence (m); 0 where there are none.
        accuracy: which part of them was right (m); 0 where there are none.
        error: expected calibration error, the mean of |accuracy - confidence| over predictions.
    """

    counts: list[int]
    confidence: list[float]
    accuracy: list[float]
    error: float


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The number to divide logits by so that their softmax is calibrated.

    It minimises the cross-entropy, which is convex in the inverse temperature, by golden-section
    search. No prediction changes. Source: Guo et al., "On Calibration of Modern Neural Networks", 2017.

    Args:
        logits: (n, k), of validation images; or (n, 1) of two classes.
        labels: int64 (n,).

    Returns:
        The temperature; 1 where every prediction is right or none is, as then the data do not say.
    """
    logits = of_each_class(logits)
    right = int((logits.argmax(1) == labels).sum())
    if right in (0, len(labels)):
        return 1.0
    logits = logits.double()

    def loss(inverse: float) -> float:
        return float(cross_entropy(logits * inverse, labels))

    ratio = (5**0.5 - 1) / 2
    low, high = 1 / HIGHEST, 1 / LOWEST
    left, right_end = high - ratio * (high - low), low + ratio * (high - low)
    loss_left, loss_right = loss(left), loss(right_end)
    while high - low > 1e-4 * low:
        if loss_left < loss_right:
            high, right_end, loss_right = right_end, left, loss_left
            left = high - ratio * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right_end, loss_right
            right_end = low + ratio * (high - low)
            loss_right = loss(right_end)
    return 2 / (low + high)


def reliability(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> Reliability:
    """How well the confidence of the most probable class agrees with being right.

    Args:
        logits: (n, k), or (n, 1) of two classes.
        labels: int64 (n,).
        temperature: divides the logits.
    """
    confidence, predictions = (of_each_class(logits).double() / temperature).softmax(1).max(1)  # (n,) both
    right = (predictions == labels).double()
    places = (confidence * BINS).long().clamp(max=BINS - 1)  # (n,): the bin of each
    counts = torch.bincount(places, minlength=BINS)  # (m,), as all that follows
    size = counts.clamp(min=1)
    mean_confidence = torch.bincount(places, weights=confidence, minlength=BINS) / size
    accuracy = torch.bincount(places, weights=right, minlength=BINS) / size
    error = ((accuracy - mean_confidence).abs() * counts).sum() / counts.sum()
    return Reliability(counts.tolist(), mean_confidence.tolist(), accuracy.tolist(), float(error))
