"""What the two curves say when they are read together."""

from __future__ import annotations

from honshi.evaluation.history import Row
from honshi.evaluation.intervals import wilson


def split_verdict(row: Row, val_size: int) -> str:
    """One sentence on the gap between training and validation accuracy at an epoch.

    The gap counts only where the training accuracy lies outside the 95 % interval of the validation
    accuracy: a validation set of this size cannot tell smaller differences from luck.
    """
    lower, upper = wilson(round(row.val_accuracy * val_size), val_size)
    shown = f"validation {row.val_accuracy:.2%} (95 % interval {lower:.2%} to {upper:.2%}, n = {val_size:,})"
    gap = (row.train_accuracy - row.val_accuracy) * 100
    if row.train_accuracy > upper:
        return f"{shown}, training {gap:.2f} points above it: more than chance, it knows its own images better."
    if row.train_accuracy < lower:
        return f"{shown}, training {-gap:.2f} points below it: as while it still learns fast, or with dropout."
    return f"{shown}, training {row.train_accuracy:.2%}: no gap that {val_size:,} images could show."
