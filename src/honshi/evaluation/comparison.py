"""Whether one model is better than another, or only luckier.

Shapes: n images, s seeds.
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


@dataclass(frozen=True)
class RecipeComparison:
    """Two recipes, each trained from the same seeds and scored on the same images.

    Attributes:
        difference: mean accuracy of the second minus that of the first.
        error: its standard error, over images and over seeds.
        p_value: how often chance alone gives a difference as large as this, upwards; 1 where it is not
            above 0.
    """

    difference: float
    error: float
    p_value: float


def compare_recipes(first_right: Tensor, second_right: Tensor) -> RecipeComparison:
    """Whether a second recipe is better than the first: on other images, from other seeds.

    The differences of each image, over seeds, and those of each seed, over images, say how far chance
    takes their mean; the two variances are added, which counts what is particular to an image under a
    seed twice and so rather too much than too little. Few seeds know their deviation badly, so the
    comparison is with Student's distribution, its degrees of freedom by Satterthwaite ("An approximate
    distribution of estimates of variance components", 1946).

    Args:
        first_right, second_right: bool (s, n), whether the model of each seed was right on each image;
            s and n at least 2.
    """
    differences = second_right.double() - first_right.double()  # (s, n)
    seeds, images = differences.shape
    difference = float(differences.mean())
    by_image = float(differences.mean(0).var()) / images
    by_seed = float(differences.mean(1).var()) / seeds
    error = math.sqrt(by_image + by_seed)
    if difference <= 0:
        return RecipeComparison(difference, error, 1.0)
    if error == 0:
        return RecipeComparison(difference, error, 0.0)
    freedom = error**4 / (by_image**2 / (images - 1) + by_seed**2 / (seeds - 1))
    return RecipeComparison(difference, error, _student_above(difference / error, max(math.floor(freedom + 1e-9), 1)))


def _student_above(t: float, freedom: int) -> float:
    """The probability that Student's t with so many degrees of freedom, at least 1, is above ``t`` >= 0.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    term = math.cos(angle) if freedom % 2 else 1.0
    total = 0.0
    for k in range(1 + freedom % 2, freedom, 2):
        total += term
        term *= math.cos(angle) ** 2 * k / (k + 1)
    within = math.sin(angle) * total
    if freedom % 2:
        within = 2 / math.pi * (angle + within)
    return max((1 - within) / 2, 0.0)


def _two_sided_binomial(fewer: int, total: int) -> float:
    """The probability that fair coins, thrown ``total`` times, fall as unevenly as this or more so."""
    logs = (
        math.lgamma(total + 1) - math.lgamma(i + 1) - math.lgamma(total - i + 1) - total * math.log(2)
        for i in range(fewer + 1)
    )
    return min(1.0, 2 * math.fsum(math.exp(log) for log in logs))
