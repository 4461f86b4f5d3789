"""Counts and ratios of right and wrong answers.

Shapes: n images; k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ClassScore:
    """How one class fared.

    Attributes:
        n: images of the class.
        recall: which part of them was recognised.
        precision: which part of the images that were given this class belong to it.

    A ratio over nothing is None.
    """

    n: int
    recall: float | None
    precision: float | None


def confusion_matrix(labels: Tensor, predictions: Tensor, classes: int) -> Tensor:
    """How often each class was taken for each.

    Args:
        labels, predictions: int64 (n,).
        classes: k.

    Returns:
        int64 (k, k); row: the true class, column: the predicted one.
    """
    return (labels * classes + predictions).bincount(minlength=classes * classes).view(classes, classes)


def per_class(matrix: Tensor, classes: Sequence[str]) -> dict[str, ClassScore]:
    """Precision and recall of each class, from a confusion matrix (k, k)."""
    right = matrix.diagonal().tolist()
    true = matrix.sum(1).tolist()
    predicted = matrix.sum(0).tolist()
    return {
        name: ClassScore(
            n=true[c],
            recall=right[c] / true[c] if true[c] else None,
            precision=right[c] / predicted[c] if predicted[c] else None,
        )
        for c, name in enumerate(classes)
    }
