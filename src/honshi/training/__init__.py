"""The loop: `epoch` is the lecture's train(), `fit` calls it once an epoch and keeps the record."""

from honshi.training.averaging import Averaging
from honshi.training.fit import FitResult, fit

__all__ = ["Averaging", "FitResult", "fit"]
