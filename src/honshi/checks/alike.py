"""Pictures of one thing on both sides of the split, as a pretrained backbone sees it.

The search for leaks compares pixels, and finds the same picture again. The same person in other clothes, or the same
product from another side, is another picture; of a backbone's features that is near all the same.

Shapes: n images, m of them in validation; d features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from honshi.checks.finding import Finding, passed, warned
from honshi.data import Examples, Splits
from honshi.data.folds import deal
from honshi.features.seen import Features

NAME = "alike"
# A validation image is near a training image that is within this part of the distance to the 20th of its class.
NEAR, OTHERS = 0.5, 20
# From this share on it is said. Measured, a tenth set aside: 0 % of MNIST's digits, 2 to 6 % of elpv's solar cells, 17
# to 24 % of emoji of people where a person's are kept together, 75 to 80 % where they are torn apart.
TELLING = 1 / 3
# Into so many folds images are dealt, where they are the mock exam.
FOLDS = 5
# Of fewer a share says little.
FEWEST = 20
# A sample as good as all.
MOST_LOOKED_AT, MOST_BESIDE = 1_000, 20_000


def check_alike(splits: Splits[Examples]) -> list[Finding]:
    """Whether many validation images have a training image beside them that is much nearer than others of its class.

    Where folds are the mock exam, the first of them is looked at. Nothing is said of images that are not seen by a
    frozen backbone, or too few of them.
    """
    train, val = splits.train, splits.val
    if not isinstance(train, Features) or not isinstance(val, Features):
        return []
    if splits.manifest.by_folds:
        first = deal(train.labels, FOLDS, 1, 0, splits.units)[0] == 0
        train, val = (train.subset(places.nonzero().flatten()) for places in (~first, first))
    near, looked_at = near_ones(train, val)
    if looked_at < FEWEST:
        return []
    if near < TELLING * looked_at:
        return [
            passed(
                NAME,
                "{near:,} of {n:,} validation images have a training image much nearer than others of their class.",
                near=near,
                n=looked_at,
            )
        ]
    return [
        warned(
            NAME,
            "{near:,} of {n:,} validation images have a training image to which they are much nearer than to others of "
            "their class, as near copies have, or the same thing seen again: a score on them is partly memory. Where "
            "pictures belong together (one person, one object, one sitting), say so: --group PATTERN of their names, "
            "or a column group in the table.",
            near=near,
            n=looked_at,
        )
    ]


def near_ones(train: Features, val: Features) -> tuple[int, int]:
    """How many validation images have such a neighbour, and of how many that could be told."""
    some, beside = _spread(val, MOST_LOOKED_AT), _spread(train, MOST_BESIDE)
    values, others = val.values[some], train.values[beside]
    # Each feature in units of its own deviation, so that no single one decides.
    mean, deviation = others.mean(0), others.std(0).clamp_min(1e-6)
    values, others = (values - mean) / deviation, (others - mean) / deviation
    labels, of_others = val.labels[some], train.labels[beside]
    near = looked_at = 0
    for label in labels.unique().tolist():
        mine, pool = values[labels == label], others[of_others == label]
        if len(pool) < OTHERS:
            continue
        nearest = torch.cdist(mine, pool).topk(OTHERS, largest=False).values  # (m, 20), ascending
        near += int((nearest[:, 0] < NEAR * nearest[:, -1]).sum())
        looked_at += len(mine)
    return near, looked_at


def _spread(images: Features, most: int) -> Tensor:
    """The places of so many at most, evenly spaced."""
    return torch.arange(0, len(images), max(1, -(-len(images) // most)))
