"""The search for better hyperparameters, on validation data alone."""

from honshi.tuning.search import Progress, Search

__all__ = ["Progress", "Search"]
