"""honshi (本試): train image classifiers and end with a score that you may believe.

splits = honshi.load("mnist")
model = honshi.models.MLP()
result = honshi.fit(model, criterion, optimizer, splits.train, splits.val, epochs=10)
honshi.test(model, splits.test)   # the real exam: once, on the record
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from honshi.lazy import lazily

if TYPE_CHECKING:
    from honshi import errors, losses, models, optimizers
    from honshi.checks import Report, check
    from honshi.data import Augmentation, Images, Normalization, Sealed, Splits, load
    from honshi.evaluation.evaluate import Evaluation, evaluate
    from honshi.evaluation.history import Row
    from honshi.exam import ExamResult, test
    from honshi.experiment import Experiment
    from honshi.prediction import Prediction, Predictor, predict
    from honshi.recipe import Recipe
    from honshi.runs import Run, load_model, save
    from honshi.training import Averaging, FitResult, fit

# Where each public name lives. They are fetched when first used, because most of them need torch and
# `honshi --help` does not.
_HOME = {
    "Augmentation": "honshi.data",
    "Averaging": "honshi.training",
    "Evaluation": "honshi.evaluation.evaluate",
    "ExamResult": "honshi.exam",
    "Experiment": "honshi.experiment",
    "FitResult": "honshi.training",
    "Images": "honshi.data",
    "Normalization": "honshi.data",
    "Prediction": "honshi.prediction",
    "Predictor": "honshi.prediction",
    "Recipe": "honshi.recipe",
    "Report": "honshi.checks",
    "Row": "honshi.evaluation.history",
    "Run": "honshi.runs",
    "Sealed": "honshi.data",
    "Splits": "honshi.data",
    "check": "honshi.checks",
    "evaluate": "honshi.evaluation.evaluate",
    "fit": "honshi.training",
    "load": "honshi.data",
    "load_model": "honshi.runs",
    "predict": "honshi.prediction",
    "save": "honshi.runs",
    "test": "honshi.exam",
}

__all__ = [
    "Augmentation",
    "Averaging",
    "Evaluation",
    "ExamResult",
    "Experiment",
    "FitResult",
    "Images",
    "Normalization",
    "Prediction",
    "Predictor",
    "Recipe",
    "Report",
    "Row",
    "Run",
    "Sealed",
    "Splits",
    "check",
    "errors",
    "evaluate",
    "fit",
    "load",
    "load_model",
    "losses",
    "models",
    "optimizers",
    "predict",
    "save",
    "test",
]

_public = lazily(__name__, _HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return _public(name)
    if name.startswith("_") or importlib.util.find_spec(f"honshi.{name}") is None:
        raise AttributeError(f"module 'honshi' has no attribute {name!r}")
    return importlib.import_module(f"honshi.{name}")  # a room, as honshi.training


def __dir__() -> list[str]:
    return sorted(__all__)


if "IPython" in sys.modules:  # a notebook, or a prompt
    from honshi.notebook import register

    register()
