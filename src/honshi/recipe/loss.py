"""The options of the loss."""

from __future__ import annotations

from typing import Literal

from honshi.recipe.options import Fraction, NotNegative, Options


class CrossEntropyOptions(Options):
    """``class_weights``: "balanced" weighs a class by the inverse of its frequency."""

    kind: Literal["cross-entropy"] = "cross-entropy"
    label_smoothing: Fraction = 0.0
    class_weights: Literal["balanced"] | tuple[NotNegative, ...] | None = None


LossOptions = CrossEntropyOptions
