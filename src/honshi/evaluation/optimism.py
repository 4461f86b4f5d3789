"""How much better the best of many looks seems than it is, by chance alone."""

from __future__ import annotations

import math

# Standard deviations.
FAR = 12.0


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
    # Farther from the mean than this no count has a chance that a double could tell from 0.
    reach = FAR * math.sqrt(n * accuracy * (1 - accuracy)) + FAR
    first, last = max(0, math.floor(n * accuracy - reach)), min(n, math.ceil(n * accuracy + reach))
    at_most, expected_maximum = 0.0, float(first)
    for x in range(first, last):
        at_most = min(at_most + _binomial(x, n, accuracy), 1.0)
        expected_maximum += 1 - at_most**looks
    return max(expected_maximum / n - accuracy, 0.0)


def _binomial(x: int, n: int, p: float) -> float:
    """The chance of x right answers among n, each right with chance p within (0, 1)."""
    log_choose = math.lgamma(n + 1) - math.lgamma(x + 1) - math.lgamma(n - x + 1)
    return math.exp(log_choose + x * math.log(p) + (n - x) * math.log1p(-p))
