"""How much more pictures would help: accuracy against the number of images that were learnt from.

Source: C. Cortes et al., "Learning curves: asymptotic values and rate of convergence", 1993.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from honshi.messages import Message


@dataclass(frozen=True)
class Point:
    """The accuracy with so many images.

    Attributes:
        images: that each head has learnt from.
        accuracy: on all images, each by a head that did not see it.
        interval: 95 %, over the distinct images.
    """

    images: int
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class MoreImages:
    """A learning curve over the number of images.

    Attributes:
        points: from few images to all.
        gain: of accuracy from half of the images to all, the mean over the images.
        error: its standard error.
    """

    points: list[Point]
    gain: float
    error: float

    @property
    def sentence(self) -> Message:
        """What follows from it."""
        half, whole = self.points[-2].images, self.points[-1].images
        lower, upper = self.gain - 1.96 * self.error, self.gain + 1.96 * self.error
        numbers = {"half": half, "whole": whole, "gain": 100 * self.gain, "lower": 100 * lower, "upper": 100 * upper}
        if lower > 0:
            return Message(
                "More pictures would help: from {half:,} to {whole:,} of them it gained {gain:.1f} points of accuracy "
                "(95 % interval {lower:.1f} to {upper:.1f}); as many again bring less than that, as a rule.",
                **numbers,
            )
        return Message(
            "More pictures of this kind would hardly help: from {half:,} to {whole:,} of them it gained {gain:.1f} "
            "points of accuracy (95 % interval {lower:.1f} to {upper:.1f}). Look at the labels and at what is wrong "
            "every time, or at another backbone.",
            **numbers,
        )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "sentence": str(self.sentence)}
