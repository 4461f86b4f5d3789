"""How much better the best of many looks seems than it is, by chance alone."""

from __future__ import annotations

import torch


def best_of(looks: int, n: int, accuracy: float) -> float:
    """By how much the largest of several measured accuracies is expected to overstate the truth.

    Suppose ``looks`` models of the same true accuracy are each scored on n images, independently. The
    best of the scores lies above the truth on average, though no model is better. Looks at one
    validation set are not independent (its epochs and models share their mistakes), so this is what
    chance can explain at most.

    The expectation of a maximum of counts is the sum of P(max > x); each P follows from the binomial
    distribution function.

    Args:
        looks: at least 1.
        n: images in the validation set.
        accuracy: the accuracy of each, within [0, 1].

    Returns:
        Expected optimism, within [0, 1].
    """
    if looks == 1 or accuracy in (0.0, 1.0):
        return 0.0
    x = torch.arange(n + 1, dtype=torch.float64)
    p = torch.tensor(accuracy, dtype=torch.float64)
    size = torch.tensor(float(n), dtype=torch.float64)
    log_choose = torch.lgamma(size + 1) - torch.lgamma(x + 1) - torch.lgamma(size - x + 1)
    distribution = (log_choose + x * p.log() + (size - x) * (1 - p).log()).exp().cumsum(0).clamp(max=1)
    expected_maximum = (1 - distribution[:-1] ** looks).sum()
    return max(float(expected_maximum / n) - accuracy, 0.0)
