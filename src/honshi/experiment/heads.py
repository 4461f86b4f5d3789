"""Linear heads on features that are kept, trained for all folds at once and for the model that is kept.

Shapes: n images; k classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from honshi import losses
from honshi.evaluation.calibration import fit_temperature
from honshi.evaluation.history import Row
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.features import Features
from honshi.models.frozen import spread
from honshi.optimizers.paths import Paths
from honshi.recipe import PathOptions, Recipe
from honshi.training import EarlyStopping

Thin = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Heads:
    """What heads of all strengths have reached.

    Attributes:
        history: a row a strength; the training columns are those of the head that learns from all images.
        weights: of that head at each strength, (d + 1, k).
    """

    history: list[Row]
    weights: list[Tensor]


def walk(
    recipe: Recipe,
    seen: Features,
    answers: OutOfFold,
    *,
    thin: Thin = lambda places: places,
    on_step: Callable[[int], None] = lambda step: None,
) -> Heads:
    """Train heads along the regularisation path until no fold gains any more, and let them answer for their folds.

    Args:
        recipe: with the optimizer ``path``.
        seen: features of all images, of which the first n rows are of the images as they are.
        answers: how the images are dealt out to folds; it is told what the heads answer.
        thin: of places that a head would learn from those that it does learn from.
        on_step: called after each strength; what it raises ends the walk.
    """
    options, optimizer = recipe.training, recipe.optimizer
    assert isinstance(optimizer, PathOptions)
    started = time.perf_counter()
    turns, count = answers.turns, answers.n
    parts = [parts_of(answers, *turn) for turn in turns]
    everything = torch.arange(count)
    # Of each turn first the head that its strength is chosen by, then the one that answers for the fold.
    trained = [thin(learnt) for learnt, _ in parts]
    trained += [thin(others(answers.held_out(*turn), count)) for turn in turns]
    trained.append(everything)
    rows = [_rows_of(places, seen.places, count) for places in trained]
    values, labels = seen.values, seen.labels.to(seen.values.device)
    classes = len(seen.classes)

    def criterion(places: Tensor) -> losses.CrossEntropy:
        counts = seen.labels[places].bincount(minlength=classes).tolist()
        return losses.build(recipe.loss, counts).to(values.device)

    spreads = [spread(values[some]) for some in rows]
    paths = Paths(
        values,
        torch.stack(
            [criterion(places).masses(labels, some, classes) for places, some in zip(trained, rows, strict=True)]
        ),
        torch.stack([mean for mean, _ in spreads]),
        torch.stack([std for _, std in spreads]),
    )
    loss, stopping = criterion(everything), EarlyStopping(patience=options.patience)
    best = [_Best(float("inf"), labels, labels)] * len(turns)
    truth, found = labels[:count], Heads([], [])
    decays = [optimizer.weight_decay * optimizer.fall**epoch for epoch in range(options.epochs)]
    for epoch, logits in enumerate(paths.walk(decays), start=1):
        answered = torch.empty(answers.repeats, count, classes, device=values.device)
        waits = True
        for number, (turn, (_, by)) in enumerate(zip(turns, parts, strict=True)):
            fold = answers.held_out(*turn)
            of_fold, chosen_by = logits[len(turns) + number, fold], logits[number, by]
            answered[turn[0], fold] = of_fold
            value = float(loss(chosen_by, truth[by]))
            if value < best[number].loss:
                best[number], waits = _Best(value, chosen_by, of_fold), False
        mine, pooled = logits[-1, rows[-1]], answered.flatten(0, 1)
        row = Row(
            epoch=epoch,
            train_loss=float(loss(mine, labels[rows[-1]])),
            train_accuracy=_accuracy(mine, labels[rows[-1]]),
            val_loss=float(loss(pooled, truth.repeat(answers.repeats))),
            val_accuracy=_accuracy(pooled, truth.repeat(answers.repeats)),
            lr=optimizer.lr,
            seconds=time.perf_counter() - started - sum(one.seconds for one in found.history),
        )
        found.history.append(row)
        found.weights.append(paths.weights[-1].clone())
        stopping.note(row)
        on_step(epoch)
        if stopping.exhausted and waits:
            break
    for turn, (_, by), one in zip(turns, parts, best, strict=True):
        answers.note(*turn, one.of_fold, fit_temperature(one.chosen_by, truth[by]))
    return found


@dataclass(frozen=True)
class _Best:
    """The strength of lowest loss on the images that it is chosen by, and what is answered then (·, k)."""

    loss: float
    chosen_by: Tensor
    of_fold: Tensor


def parts_of(answers: OutOfFold, repeat: int, fold: int) -> tuple[Tensor, Tensor]:
    """The places that the model of a fold learns from until it is chosen, and those that it is chosen by."""
    left = others(answers.held_out(repeat, fold), answers.n)
    # Of two folds the other one is all that there is to learn from: a third of it.
    by = left[::3] if answers.count == 2 else answers.held_out(repeat, (fold + 1) % answers.count)
    return left[~torch.isin(left, by)], by


def others(places: Tensor, count: int) -> Tensor:
    """All places but these, ascending."""
    left = torch.ones(count, dtype=torch.bool)
    left[places] = False
    return left.nonzero().flatten()


def _rows_of(places: Tensor, images: Tensor, count: int) -> Tensor:
    """The rows of features that are of these images, whatever view of them.

    Args:
        places: of images, int64.
        images: of each row the image that it is of, int64.
        count: images.
    """
    wanted = torch.zeros(count, dtype=torch.bool)
    wanted[places] = True
    return wanted[images].nonzero().flatten()


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).double().mean())
