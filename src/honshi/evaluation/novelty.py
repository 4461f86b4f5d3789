"""Is a picture like anything that the model was trained on? A confidence does not say: it is shared among the classes.

A picture is unlike them where its nearest training images are farther away than those of nearly every validation image,
which no training has seen: in the last hidden layer (Y. Sun et al., "Out-of-distribution detection with deep nearest
neighbors", ICML 2022), or as a small picture. Neither is enough alone: a network takes some scribbles for a digit deep
inside, and pixels alone miss what is made of a digit's strokes. Measured with recipe ``cnn`` on 100 scribbles of five
kinds: 70 by the hidden layer, 78 by pixels, 98 by the two, while 1.9 % of MNIST's validation images are warned of.

Shapes: n pictures; m training images that are kept; d numbers of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, normalize

from honshi.data.examples import Examples
from honshi.files import write_whole
from honshi.models.card import needed_card
from honshi.models.modes import evaluating
from honshi.models.watched import watched
from honshi.runtime import device_of

# Training images that are kept and validation images that the thresholds are taken from, spread evenly.
MOST_TRAIN, MOST_VAL = 20_000, 5_000
# The distance is that to the so many nearest, by the farthest of them: one odd training image near by proves nothing.
NEAREST = 5
# So many of the validation images are nearer than a threshold.
QUANTILE = 0.99
# A small picture has no more rows and columns than this.
SMALL = 28
BATCH = 256


@dataclass(frozen=True)
class Space:
    """Where training images lie, and how far from them is far.

    Attributes:
        known: float32 (m, d).
        threshold: the distance below which 99 % of the validation images are.
    """

    known: Tensor
    threshold: float

    @classmethod
    def of(cls, known: Tensor, val: Tensor) -> Self:
        """Of training and validation images, (m, d) and (n, d)."""
        space = cls(known, math.inf)
        distances = torch.cat([space.distances(block) for block in val.split(BATCH)])
        return cls(known, float(distances.quantile(QUANTILE)))

    def far(self, points: Tensor) -> Tensor:
        """Which of the points (n, d) are farther away: bool (n)."""
        return self.distances(points) > self.threshold

    def distances(self, points: Tensor) -> Tensor:
        """From each point (n, d) to the farthest of its nearest training images: (n)."""
        squares = self._squares - 2 * points @ self.known.T + points.square().sum(1, keepdim=True)
        return squares.topk(min(NEAREST, len(self.known)), dim=1, largest=False).values[:, -1].clamp(min=0).sqrt()

    @cached_property
    def _squares(self) -> Tensor:
        return self.known.square().sum(1)


@dataclass(frozen=True)
class Novelty:
    """What the training images look like, to a model and as small pictures.

    Attributes:
        pictures: of 28 x 28 pixels at most.
        hidden: what comes into the last linear layer, each of length 1; None where a model has no such layer.
    """

    pictures: Space
    hidden: Space | None

    @classmethod
    def of(cls, model: nn.Module, train: Examples, val: Examples) -> Self:
        """Look at training and validation images through a model."""
        parts = _some(train, MOST_TRAIN), _some(val, MOST_VAL)
        known, others = (torch.cat([_small(block) for block in blocks]) for blocks in parts)
        if last_linear(model) is None:
            return cls(Space.of(known, others), None)
        inside, of_others = (torch.cat([_direction(model, block) for block in blocks]) for blocks in parts)
        return cls(Space.of(known, others), Space.of(inside, of_others))

    def unlike(self, model: nn.Module, pixels: Tensor) -> list[bool]:
        """Whether each of some prepared pictures, uint8 (n, c, h, w), is like no training image."""
        far = self.pictures.far(_small(pixels))
        if self.hidden is not None:
            far |= self.hidden.far(_direction(model, pixels))
        return [bool(one) for one in far]

    def write(self, path: Path) -> None:
        """Keep it in a file.

        Raises:
            WriteError: it cannot be written.
        """
        tensors = {"pictures": self.pictures.known.to(torch.uint8)}
        thresholds = {"pictures": repr(self.pictures.threshold)}
        if self.hidden is not None:
            tensors["hidden"], thresholds["hidden"] = self.hidden.known, repr(self.hidden.threshold)
        write_whole(path, save(tensors, thresholds))

    @classmethod
    def read(cls, path: Path) -> Self:
        """What was kept.

        Raises:
            OSError, ValueError, KeyError: it is not there, or damaged.
        """
        from safetensors import safe_open

        tensors = load(path.read_bytes())
        with safe_open(path, "pt") as file:
            thresholds = file.metadata()
        spaces = {name: Space(known.float(), float(thresholds[name])) for name, known in tensors.items()}
        return cls(spaces["pictures"], spaces.get("hidden"))


def _some(images: Examples, most: int) -> list[Tensor]:
    places = torch.linspace(0, len(images) - 1, min(most, len(images))).round().long()
    return [images.gather(part) for part in places.split(BATCH)]


def _small(pixels: Tensor) -> Tensor:
    """(n, c, h, w) uint8 to (n, d), whole numbers."""
    height, width = (min(SMALL, side) for side in pixels.shape[2:])
    return adaptive_avg_pool2d(pixels.float(), (height, width)).round().flatten(1)


def last_linear(model: nn.Module) -> nn.Linear | None:
    """The last linear layer of a model; what comes into it is the last hidden layer."""
    return next((layer for layer in reversed(list(model.modules())) if isinstance(layer, nn.Linear)), None)


def _direction(model: nn.Module, pixels: Tensor) -> Tensor:
    """What comes into the last linear layer, of length 1: float32 (n, d)."""
    return normalize(hidden(model, pixels))


def hidden(model: nn.Module, pixels: Tensor) -> Tensor:
    """What comes into the last linear layer of a model that has one, on the CPU: float32 (n, d)."""
    seen: list[Tensor] = []

    def keep(_name: str, _layer: nn.Module, inputs: tuple[Tensor, ...], _output: object) -> None:
        seen.append(inputs[0].detach())

    with evaluating(model) as scored:
        layer = last_linear(scored)
        assert layer is not None
        with watched([("", layer)], keep):
            scored(needed_card(model).contract.normalization(pixels.to(device_of(model))))
    return seen[-1].flatten(1).float().cpu()
