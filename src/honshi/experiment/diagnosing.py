"""What the curves of a run or of a training say, measured where its model and its data are at hand."""

from __future__ import annotations

from torch import nn

from honshi import losses
from honshi.data import Examples, Splits
from honshi.errors import RunError
from honshi.evaluation.diagnosis import Diagnosis, Divergence, diagnose
from honshi.evaluation.evaluate import loss_and_accuracy
from honshi.evaluation.evidence import Measured
from honshi.evaluation.history import Row
from honshi.evaluation.reference import nearest_neighbour
from honshi.experiment.loading import splits_of
from honshi.recipe import Recipe
from honshi.runs import Run
from honshi.runtime import device_of


def diagnose_run(run: Run, data: str | None = None) -> Diagnosis:
    """What a run's curves say, be it finished, interrupted or diverged.

    Of a finished run the training images are scored again in eval mode. The validation images are not looked
    at: their scores are in the history.

    Args:
        run: which has begun.
        data: where its data are now, as ``--data`` takes it; where they were, if left out.

    Raises:
        RunError: not one epoch is finished, or the data have changed since.
    """
    rows, divergence = run.history, run.divergence
    if not rows and divergence is None:
        raise RunError("{run}: no epoch of this run is finished, so there is nothing to diagnose yet.", run=run.path)
    splits = splits_of(run, data)
    return diagnose_training(run.recipe, splits, rows, run.model() if run.finished else None, divergence)


def diagnose_training(
    recipe: Recipe,
    splits: Splits[Examples],
    rows: list[Row],
    model: nn.Module | None,
    divergence: Divergence | None = None,
    neighbour: float | None = None,
) -> Diagnosis:
    """What the curves of a training say.

    Args:
        rows: its history.
        model: the one that it kept, if it did.
        divergence: where it stopped because a loss became infinite or NaN.
        neighbour: `nearest_neighbour` of the training images, where it is known already.
    """
    counts = splits.train.class_counts()
    measured = None
    if model is not None:
        criterion = losses.build(recipe.loss, counts).to(device_of(model))
        measured = Measured(len(splits.train), *loss_and_accuracy(model, splits.train, criterion))
    if neighbour is None and len(splits.train) > 1:
        neighbour = nearest_neighbour(splits.train)
    return diagnose(
        rows,
        val_size=len(splits.val),
        guessing_loss=losses.guessing_loss(recipe.loss, counts),
        train=measured,
        restore_best=recipe.training.restore_best,
        loss_floor=losses.floor(recipe.loss, counts),
        nearest_neighbour=neighbour,
        divergence=divergence,
    )
