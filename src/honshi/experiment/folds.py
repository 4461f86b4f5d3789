"""A training whose mock exam is by folds: each image is scored by models that did not see it, and the model that is
kept learns from all of them.

All that is fitted is fitted inside the folds: normalisation, strength of regularisation or number of epochs, and
temperature. What the model of a fold is chosen by is the fold behind its own, which it has not learnt from either.

Shapes: n images; k classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from honshi.data import Examples, Splits, augment
from honshi.evaluation.calibration import fit_temperature
from honshi.evaluation.evaluate import infer
from honshi.evaluation.history import best_row
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.experiment.heads import parts_of, walk
from honshi.features import see
from honshi.features.stage import frozen_in
from honshi.models.card import Card, attach
from honshi.recipe import FrozenOptions, PathOptions, Recipe
from honshi.training import FitResult

if TYPE_CHECKING:
    from honshi.experiment.experiment import Experiment

# With fewer validation images than this the head of a pretrained backbone, which learns in a moment, is scored by
# folds; in so many of them, dealt so often.
FEW, FOLDS, REPEATS = 300, 5, 5
# Images that `honshi.fit` looks at where nothing follows from what it sees.
LOOKED_AT = 64


@dataclass(frozen=True)
class FoldEnded:
    """The model of a fold is trained, and has answered for the images of its fold.

    Attributes:
        done, total: models so far, and in all.
        accuracy: on the images of the fold.
    """

    done: int
    total: int
    accuracy: float


@dataclass(frozen=True)
class ByFolds:
    """What a training by folds leaves behind.

    Attributes:
        result: the history; its validation columns are those of the models of the folds.
        kept: the epoch whose weights the model has.
        answers: what the models of the folds take each image for.
    """

    result: FitResult
    kept: int
    answers: OutOfFold


def train_by_folds(
    experiment: Experiment,
    answers: OutOfFold,
    *,
    keep: Callable[[OutOfFold], None],
    on_fold: Callable[[FoldEnded], None],
    on_step: Callable[[int], None],
) -> ByFolds:
    """Train the models of all folds, and the experiment's own on all images.

    Args:
        experiment: of which ``splits.train`` is trained on.
        answers: how the images are dealt out to folds, and what is answered already.
        keep: called with the answers so far, where to find them takes long.
        on_fold: called when the model of a fold has answered.
        on_step: called now and then; what it raises ends the training.

    Raises:
        NonFiniteLossError: a training diverged.
    """
    recipe = experiment.recipe
    if has_linear_head(recipe):
        found = _together(experiment, answers, on_fold, on_step)
    else:
        found = _one_by_one(experiment, answers, keep, on_fold, on_step)
    images = experiment.splits.train
    attach(experiment.model, Card(images.contract, images.classes))
    experiment.model.eval()
    return found


def has_linear_head(recipe: Recipe) -> bool:
    """Whether what learns is a linear head on kept features, by the regularisation path."""
    linear = isinstance(recipe.model, FrozenOptions) and not recipe.model.hidden
    return linear and isinstance(recipe.optimizer, PathOptions)


def first_fold(splits: Splits[Examples], answers: OutOfFold, places: Tensor) -> Splits[Examples]:
    """A validation part in place of folds, for what compares many models: the first fold of the first repeat.

    Args:
        splits: all images for training.
        answers: how they were dealt out.
        places: of each image of the splits its place in the answers, int64 (n,).
    """
    held = answers.folds[0, places] == 0
    parts = (splits.train.subset(which.nonzero().flatten()) for which in (~held, held))
    train, val = parts
    manifest = replace(
        splits.manifest,
        by_folds=None,
        train_size=len(train),
        val_size=len(val),
        train_sha256=train.identity,
        val_sha256=val.identity,
    )
    return replace(splits, train=train, val=val, manifest=manifest, units=None)


def _together(
    experiment: Experiment,
    answers: OutOfFold,
    on_fold: Callable[[FoldEnded], None],
    on_step: Callable[[int], None],
) -> ByFolds:
    """Linear heads on features that are kept: all at once, the one of all images among them."""
    recipe, images, model = experiment.recipe, experiment.splits.train, experiment.model
    frozen = frozen_in(model)
    assert frozen is not None
    started = time.perf_counter()
    seen = see(frozen, images, augment.build(recipe.augment)).to(experiment.device)
    heads = walk(recipe, seen, answers, on_step=on_step)
    kept = best_row(heads.history) if recipe.training.restore_best else heads.history[-1]
    with torch.no_grad():
        frozen.head.measure(seen.values)
        weight, bias = frozen.head.layers.parameters()
        weight.copy_(heads.weights[kept.epoch - 1][:-1].T)
        bias.copy_(heads.weights[kept.epoch - 1][-1])
    for number, turn in enumerate(answers.turns, start=1):
        on_fold(FoldEnded(number, len(answers.turns), answers.accuracy_of(*turn)))
    early = len(heads.history) < recipe.training.epochs
    seconds = {"train": time.perf_counter() - started, "evaluate": 0.0}
    return ByFolds(FitResult(heads.history, recipe.training.restore_best, early, False, seconds), kept.epoch, answers)


def _one_by_one(
    experiment: Experiment,
    answers: OutOfFold,
    keep: Callable[[OutOfFold], None],
    on_fold: Callable[[FoldEnded], None],
    on_step: Callable[[int], None],
) -> ByFolds:
    """Any other model: one training after the other, as `honshi.fit` trains it."""
    recipe, splits = experiment.recipe, experiment.splits
    images, turns = splits.train, answers.turns
    started = time.perf_counter()
    for number, turn in enumerate(turns, start=1):
        fold = answers.held_out(*turn)
        if not answers.answered(*turn):
            learnt, by = (images.subset(places) for places in parts_of(answers, *turn))
            one = type(experiment).build(recipe, replace(splits, train=learnt, val=by))
            result = one.fit(on_step=on_step)
            logits, _ = infer(one.model, images.subset(fold))
            answers.note(*turn, logits, fit_temperature(*infer(one.model, by)))
            answers.note_curve(*turn, result.history)
            keep(answers)
        on_fold(FoldEnded(number, len(turns), answers.accuracy_of(*turn)))
    # On all images there is nothing left to stop by: as many epochs as the folds found best.
    epochs = answers.best_epoch if recipe.training.restore_best else recipe.training.epochs
    final = recipe.changed({"training.epochs": epochs, "training.restore_best": False, "training.patience": None})
    looked_at = images.subset(torch.linspace(0, len(images) - 1, min(LOOKED_AT, len(images))).long())
    whole = type(experiment).build(final, replace(splits, train=images, val=looked_at))
    result = whole.fit(on_step=on_step)
    experiment.model.load_state_dict(whole.model.state_dict())
    attach(experiment.model, Card(images.contract, images.classes))
    experiment.model.eval()
    scores = answers.mean_curve
    history = [
        replace(row, val_loss=float(loss), val_accuracy=float(accuracy))
        for row, (loss, accuracy) in zip(result.history, scores, strict=False)
    ]
    seconds = {"train": time.perf_counter() - started, "evaluate": 0.0}
    return ByFolds(FitResult(history, False, False, False, seconds), epochs, answers)
