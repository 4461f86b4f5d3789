"""Labels that are probably wrong, by what models that did not see the images take them for: confident learning.

Source: C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021.

Shapes: n images; k classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# The images that are labelled as a class are partly of others, so those that are of it are surer than their mean; and
# models of folds have learnt from less than all. With this share of it most of MNIST's are found where 5 % are wrong.
SHARE = 0.8


@dataclass(frozen=True)
class Doubt:
    """A label that is in doubt.

    Attributes:
        place: of the image.
        label: that it has.
        suggested: that the models take it for.
        own, other: how sure they are of the one and of the other.
    """

    place: int
    label: int
    suggested: int
    own: float
    other: float


def doubted(probabilities: Tensor, labels: Tensor) -> list[Doubt]:
    """The labels in doubt, the most doubtful first.

    An image belongs to a class, whatever its label says, where the models are about as sure of that class as they are
    on average of the images labelled so; of several such classes to the one that they are surest of. Where that is not
    its label, the label is in doubt, the more the surer they are of the other one.

    Args:
        probabilities: of each class, for each image by models that did not see it, float (n, k).
        labels: int64 (n,).
    """
    classes = probabilities.shape[1]
    mine = torch.nn.functional.one_hot(labels, classes).to(probabilities)
    # A class that no image has is one that none is taken for.
    usual = (probabilities * mine).sum(0) / mine.sum(0)
    sure = torch.where(probabilities >= SHARE * usual.nan_to_num(torch.inf), probabilities, -1.0)
    other, suggested = sure.max(1)
    own = probabilities.gather(1, labels.unsqueeze(1)).squeeze(1)
    places = ((other >= 0) & (suggested != labels) & (other > own)).nonzero().flatten()
    order = places[(own - other)[places].argsort(stable=True)].tolist()
    return [
        Doubt(place, int(labels[place]), int(suggested[place]), float(own[place]), float(other[place]))
        for place in order
    ]
