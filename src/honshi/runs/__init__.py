"""A run on disk: plain files in one folder, each written whole or not at all."""

from honshi.runs.folder import Run
from honshi.runs.store import all_runs, find
from honshi.runs.weights import load_model, save

__all__ = ["Run", "all_runs", "find", "load_model", "save"]
