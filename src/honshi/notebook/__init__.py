"""In a notebook things show themselves: how, is said to IPython when honshi is imported there, and costs nothing
elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from honshi.runtime.notebook import notebook_shell

# Where each kind lives, and what shows it; nothing of it is loaded before one is shown.
_SHOWN = {
    ("honshi.data.splits", "Splits"): "splits",
    ("honshi.data.images", "Images"): "images",
    ("honshi.training.result", "FitResult"): "history",
    ("honshi.evaluation.evaluate", "Evaluation"): "evaluation",
    ("honshi.prediction.answers", "Prediction"): "prediction",
    ("honshi.exam.result", "ExamResult"): "exam_result",
    ("honshi.checks.report", "Report"): "report",
}


def register() -> None:
    """Tell IPython how to show what honshi gives, where it runs."""
    shell = notebook_shell()
    if shell is not None:
        formatter = shell.display_formatter.formatters["text/html"]
        for (module, kind), name in _SHOWN.items():
            formatter.for_type_by_name(module, kind, partial(_show, name))


def _show(name: str, value: Any) -> str:
    from honshi.notebook import html

    show: Callable[[Any], str] = getattr(html, name)
    return show(value)
