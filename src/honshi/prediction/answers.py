"""What a model answers, and the one place where logits become an answer.

Shapes: n images; (c, h, w) one image as the model knows it; k classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from honshi.errors import ImageError, ModelError
from honshi.models.card import Card
from honshi.models.outputs import of_each_class
from honshi.prediction.engines import Engine

# Of so many classes Python takes a softmax in less time than operations of torch.
FEW_CLASSES = 64


@dataclass(frozen=True)
class Prediction:
    """What a model takes an image for.

    Attributes:
        label: the most probable class.
        confidence: its probability.
        probabilities: of every class, adding up to 1.
    """

    label: str
    confidence: float
    probabilities: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Predictions(Sequence[Prediction]):
    """What a model takes each of many images for: a sequence of `Prediction`, and all of them as arrays.

    Attributes:
        classes: their names (k).
        probabilities: of each image and class, float64 (n, k).
    """

    def __init__(self, classes: tuple[str, ...], probabilities: Tensor) -> None:
        self.classes = classes
        self.probabilities = probabilities

    @property
    def labels(self) -> list[str]:
        """The most probable class of each image (n)."""
        return [self.classes[best] for best in self.probabilities.argmax(1).tolist()]

    @property
    def confidences(self) -> list[float]:
        """Its probability (n)."""
        confidences: list[float] = self.probabilities.amax(1).tolist()
        return confidences

    def __len__(self) -> int:
        return len(self.probabilities)

    def __iter__(self) -> Iterator[Prediction]:
        return (_prediction(self.classes, row) for row in self.probabilities.tolist())

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> Predictions: ...
    def __getitem__(self, place: int | slice) -> Prediction | Predictions:
        if isinstance(place, slice):
            return Predictions(self.classes, self.probabilities[list(range(len(self))[place])])
        return _prediction(self.classes, self.probabilities[place].tolist())


@dataclass(frozen=True)
class Answer:
    """What became of one of many pictures.

    Attributes:
        picture: its file.
        prediction: what the model takes it for; None where it could not be read.
        error: why not.
        formed: whether it was brought into the form that the training images had.
        inverted: whether it has a light background and the training images a dark one, or the reverse.
    """

    picture: Path
    prediction: Prediction | None
    error: ImageError | None = None
    formed: bool = False
    inverted: bool = False


def answered(engine: Engine, card: Card, pixels: Tensor) -> Predictions:
    """The classes of prepared images, uint8 (n, c, h, w), whatever computes them.

    Raises:
        ImageError: the images are not in the form that the model wants.
        ModelError: the model does not take them, or what it answers is no number for each class.
    """
    pixels = torch.as_tensor(pixels)
    if pixels.dtype != torch.uint8 or pixels.shape[1:] != card.contract.shape:
        raise ImageError(
            "Prepared images are uint8 of shape (n, {shape}) for this model, and not {kind} {given}: "
            "honshi.prediction.prepare makes them of any picture.",
            shape=", ".join(map(str, card.contract.shape)),
            kind=str(pixels.dtype).removeprefix("torch."),
            given=tuple(pixels.shape),
        )
    if not len(pixels):
        return Predictions(card.classes, torch.empty(0, len(card.classes), dtype=torch.float64))
    return Predictions(card.classes, _probabilities(_logits(engine, card, pixels), card.temperature))


def answered_one(engine: Engine, card: Card, pixels: Tensor) -> Prediction:
    """As `answered`, of one prepared image, uint8 (c, h, w).

    What softmax is of ten numbers takes a tenth of the time in Python that it takes as operations of torch.
    """
    logits = _logits(engine, card, pixels.unsqueeze(0))
    if len(card.classes) <= FEW_CLASSES:
        return _prediction(card.classes, softmax(logits.tolist()[0], card.temperature))
    return _prediction(card.classes, _probabilities(logits, card.temperature)[0].tolist())


def softmax(logits: list[float], temperature: float) -> list[float]:
    """The probabilities of one image's classes (k).

    Raises:
        ModelError: a logit is no number.
    """
    largest = max(logits)
    powers = [math.exp((logit - largest) / temperature) for logit in logits]
    total = sum(powers)
    _check_numbers(total)
    return [power / total for power in powers]


def _probabilities(logits: Tensor, temperature: float) -> Tensor:
    """The same of many images, (n, k) to float64 (n, k)."""
    probabilities = (logits / temperature).softmax(1, dtype=torch.float64)
    _check_numbers(probabilities.sum().item())
    return probabilities


def _check_numbers(total: float) -> None:
    """
    Raises:
        ModelError: a sum of probabilities is no number, as it is where one of them is none.
    """
    if not math.isfinite(total):
        raise ModelError(
            "The model's answers are not numbers (NaN or infinity), as after a training that diverged: its weights "
            "are of no use. Train it again with a smaller learning rate."
        )


def _logits(engine: Engine, card: Card, pixels: Tensor) -> Tensor:
    """Of prepared images, uint8 (n, c, h, w): (n, k)."""
    logits = of_each_class(engine.logits(pixels))
    if logits.shape[1] != len(card.classes):
        raise ModelError(
            "The model has {outputs} outputs and is to tell {classes} classes apart: it needs an output for each.",
            outputs=logits.shape[1],
            classes=len(card.classes),
        )
    return logits


def _prediction(classes: tuple[str, ...], row: list[float]) -> Prediction:
    """Of the probabilities of one image's classes (k)."""
    confidence = max(row)
    return Prediction(classes[row.index(confidence)], confidence, dict(zip(classes, row, strict=True)))
