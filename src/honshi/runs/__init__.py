"""A run on disk: plain files in one folder, each written whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from honshi.lazy import lazily

if TYPE_CHECKING:
    from honshi.runs.folder import Run
    from honshi.runs.store import all_runs, find
    from honshi.runs.weights import load_model, save

__all__ = ["Run", "all_runs", "find", "load_model", "save"]

__getattr__ = lazily(
    __name__,
    {
        "Run": "honshi.runs.folder",
        "all_runs": "honshi.runs.store",
        "find": "honshi.runs.store",
        "load_model": "honshi.runs.weights",
        "save": "honshi.runs.weights",
    },
)
