"""What a training has come to: its history, and the weights to end with."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from honshi.evaluation.history import Row, best_row
from honshi.training.early_stopping import EarlyStopping


@dataclass(kw_only=True)
class Record:
    """The finished epochs of a training.

    Attributes:
        stopping: when patience runs out.
        restore_best: whether to end with the weights of the best epoch rather than the last.
        rows: one an epoch.
        kept_weights: those to end with, a state dict; empty before the first epoch is finished.
    """

    stopping: EarlyStopping
    restore_best: bool
    rows: list[Row] = field(default_factory=list)
    kept_weights: dict[str, Tensor] = field(default_factory=dict)

    def note(self, row: Row, model: nn.Module) -> None:
        """Add an epoch; the model has the weights that were scored."""
        self.rows.append(row)
        if not self.restore_best or best_row(self.rows) is row:
            self.kept_weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.stopping.note(row)

    def put_back(self, model: nn.Module) -> None:
        """Give the model the weights to end with."""
        if self.rows:
            model.load_state_dict(self.kept_weights)
