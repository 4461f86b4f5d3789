"""How much more pictures would help: the accuracy by folds where heads learn from a part of the images alone."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from honshi.data import Examples, Splits, augment
from honshi.evaluation.intervals import wilson
from honshi.evaluation.more_images import MoreImages, Point
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.experiment.folds import has_linear_head
from honshi.experiment.heads import walk
from honshi.features import see
from honshi.features.stage import frozen_in
from honshi.recipe import Recipe

# Of the images that a head could learn from, and how often they are dealt out to folds.
SHARES, REPEATS = (0.1, 0.2, 0.5, 1.0), 2
# Fewer images than this say nothing.
FEWEST = 10


def more_images(recipe: Recipe, model: nn.Module, splits: Splits[Examples], answers: OutOfFold) -> MoreImages | None:
    """What more images would bring; None of a model that takes long to train, or of so few images that nobody can say.

    Args:
        recipe, model, splits: of a run by folds.
        answers: how its images were dealt out.
    """
    frozen = frozen_in(model)
    images = splits.train
    if frozen is None or not has_linear_head(recipe) or len(images) != answers.n:
        return None
    learnt = answers.n - answers.n // answers.count
    shares = [share for share in SHARES if share * learnt >= FEWEST]
    if len(shares) < 2:
        return None
    seen = see(frozen, images, augment.build(recipe.augment))
    right: list[Tensor] = []
    points = []
    for share in shares:
        found = answers.empty(min(REPEATS, answers.repeats))
        walk(recipe, seen, found, thin=partial(_some, images.labels, share))
        right.append(found.right)
        points.append(Point(round(share * learnt), found.accuracy, wilson(found.accuracy * found.n, found.n)))
    gains = right[-1] - right[-2]
    return MoreImages(points, float(gains.mean()), float(gains.std()) / math.sqrt(len(gains)))


def _some(labels: Tensor, share: float, places: Tensor) -> Tensor:
    """A share of the places, of every class, at least one; the smaller one is in the larger one."""
    draws = torch.Generator().manual_seed(0)
    mixed = places[torch.randperm(len(places), generator=draws)]
    parts = [mixed[labels[mixed] == label] for label in labels[places].unique().tolist()]
    return torch.cat([part[: max(1, round(share * len(part)))] for part in parts]).sort().values
