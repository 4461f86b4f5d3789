"""What a training gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from honshi.errors import ModelError
from honshi.evaluation.history import Row, best_row


@dataclass(frozen=True)
class FitResult:
    """What a training leaves behind, beside the trained model.

    Attributes:
        history: a row an epoch.
        restored: whether the model has the best epoch's weights rather than the last one's.
        stopped_early: whether patience ran out before the epochs did.
        interrupted: whether it was ended before that, by `honshi.training.Stop` or by hand.
        seconds: spent on training steps ("train") and on validation ("evaluate").
    """

    history: list[Row]
    restored: bool
    stopped_early: bool
    interrupted: bool
    seconds: dict[str, float]

    @property
    def best(self) -> Row:
        """The row of lowest validation loss.

        Raises:
            ModelError: the training was ended before its first epoch was finished.
        """
        if not self.history:
            raise ModelError("No epoch of this training is finished, so none is the best.")
        return best_row(self.history)

    def plot(self, path: str | Path) -> None:
        """Draw the learning curves to a picture."""
        from honshi.reports.curves import draw  # matplotlib takes a while to load and not every fit draws

        draw(self.history, Path(path))
