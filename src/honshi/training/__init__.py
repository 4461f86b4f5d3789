"""The loop: `epoch` is the lecture's train(), `fit` calls it once an epoch and keeps the record."""

from honshi.training.averaging import Averaging
from honshi.training.early_stopping import EarlyStopping
from honshi.training.fit import fit
from honshi.training.progress import Stop
from honshi.training.result import FitResult

__all__ = ["Averaging", "EarlyStopping", "FitResult", "Stop", "fit"]
