"""A recipe carried out: data read, parts built and trained into a run, once or from several seeds, and diagnosed."""

from honshi.experiment.diagnosing import diagnose_run, diagnose_training
from honshi.experiment.experiment import Experiment, as_begun
from honshi.experiment.loading import load_splits, look_before_training, open_finished, splits_of
from honshi.experiment.seeds import Seeds

__all__ = [
    "Experiment",
    "Seeds",
    "as_begun",
    "diagnose_run",
    "diagnose_training",
    "load_splits",
    "look_before_training",
    "open_finished",
    "splits_of",
]
