"""A recipe carried out: data read, parts built and trained into a run, once or from several seeds, and diagnosed."""

from honshi.experiment.diagnosing import diagnose_run, diagnose_training
from honshi.experiment.experiment import Experiment, as_begun
from honshi.experiment.folds import first_fold
from honshi.experiment.loading import load_splits, look_before_training, open_finished, splits_of
from honshi.experiment.mock_exam import answered_images, mock_exam
from honshi.experiment.more_images import more_images
from honshi.experiment.seeds import Seeds

__all__ = [
    "Experiment",
    "Seeds",
    "answered_images",
    "as_begun",
    "diagnose_run",
    "diagnose_training",
    "first_fold",
    "load_splits",
    "look_before_training",
    "mock_exam",
    "more_images",
    "open_finished",
    "splits_of",
]
