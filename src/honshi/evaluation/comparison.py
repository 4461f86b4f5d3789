"""Whether one model is better than another, or only luckier.

Shapes: n images.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images.

    Attributes:
        n: images.
        difference: accuracy of the second minus that of the first.
        only_first, only_second: images that only one of the two got right.
        p_value: how often chance alone gives a difference as large as this (McNemar's exact test).
    """

    n: int
    difference: float
    only_first: int
    only_second: int
    p_value: float

    @property
    def within_noise(self) -> bool:
        return self.p_value >= 0.05

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "within_noise": self.within_noise}


def compare(first_right: Tensor, second_right: Tensor) -> Comparison:
    """Compare two models image by image.

    Images that both get right, or both wrong, say nothing about which is better; of the others each
    falls to either side with probability 1/2 if the models are equally good. The test is exact at any
    number of them. Source: Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", 1947.

    Args:
        first_right, second_right: bool (n,), whether each model was right on each image.
    """
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    n = len(first_right)
    return Comparison(
        n=n,
        difference=(only_second - only_first) / n,
        only_first=only_first,
        only_second=only_second,
        p_value=_two_sided_binomial(min(only_first, only_second), only_first + only_second),
    )


def _two_sided_binomial(fewer: int, total: int) -> float:
    """The probability that fair coins, thrown ``total`` times, fall as unevenly as this or more so."""
    logs = (
        math.lgamma(total + 1) - math.lgamma(i + 1) - math.lgamma(total - i + 1) - total * math.log(2)
        for i in range(fewer + 1)
    )
    return min(1.0, 2 * math.fsum(math.exp(log) for log in logs))
