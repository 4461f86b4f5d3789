"""When to stop, and which epoch's weights to end with."""

from __future__ import annotations

from dataclasses import dataclass

from honshi.evaluation.history import Row


@dataclass(kw_only=True)
class EarlyStopping:
    """Stop when the validation loss has not fallen for a while.

    ``fit(patience=3)`` is short for ``fit(patience=EarlyStopping(patience=3))``.

    Source: L. Prechelt, "Early stopping, but when?", 1998; the lecture's remedies for overfitting.

    Attributes:
        patience: how many epochs without improvement are borne; None never stops.
        min_delta: a loss lower by no more than this is no improvement.
        reference: the loss that the next improvement has to beat.
        waited: epochs since the last improvement.
    """

    patience: int | None = None
    min_delta: float = 0.0
    reference: float = float("inf")
    waited: int = 0

    def note(self, row: Row) -> None:
        """Take note of an epoch."""
        if row.val_loss < self.reference - self.min_delta:
            self.reference, self.waited = row.val_loss, 0
        else:
            self.waited += 1

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.waited >= self.patience
