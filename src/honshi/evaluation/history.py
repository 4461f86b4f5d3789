"""The record of a training: one row an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Row:
    """What is known after an epoch; the columns of ``history.csv``.

    Attributes:
        epoch: from 1.
        train_loss, train_accuracy: over the epoch's own steps, while the weights changed; or
            measured again in eval mode after it, where that was asked for.
        val_loss, val_accuracy: after the epoch, in eval mode.
        lr: learning rate at the epoch's first step.
        seconds: of the epoch, validation included.

    Losses and accuracies are means over images; accuracies lie in [0, 1].
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


COLUMNS = tuple(field.name for field in fields(Row))


def best_row(rows: Sequence[Row]) -> Row:
    """The row of lowest validation loss; the earlier one of equals."""
    return min(rows, key=lambda row: row.val_loss)
