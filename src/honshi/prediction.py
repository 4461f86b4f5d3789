"""One image, or a folder of them, and what the model takes them for.

Shapes: n images; (c, h, w) one image as the model knows it; k classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor, nn

from honshi.errors import DataNotFoundError, ImageError, ModelError
from honshi.evaluation.answers import ask
from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.models.card import needed_card
from honshi.models.modes import evaluating
from honshi.models.outputs import of_each_class
from honshi.native.layers import compiled_layers
from honshi.pictures.contract import InputContract
from honshi.pictures.prepare import Picture, Prepared, looks_inverted, prepare, prepared
from honshi.runtime import device_of, threads

__all__ = [
    "Answer",
    "Picture",
    "Prediction",
    "Predictions",
    "predict",
    "predict_files",
    "predict_pixels",
    "prepare",
]


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

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> Predictions: ...
    def __getitem__(self, place: int | slice) -> Prediction | Predictions:
        if isinstance(place, slice):
            return Predictions(self.classes, self.probabilities[list(range(len(self))[place])])
        row = self.probabilities[place].tolist()
        best = row.index(max(row))
        return Prediction(self.classes[best], row[best], dict(zip(self.classes, row, strict=True)))


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


def predict(model: nn.Module, image: Picture, *, invert: bool = False, as_is: bool = False) -> Prediction:
    """The class of one image, with its confidence.

    Args:
        model: one that was trained by `honshi.fit` on `Images`, or loaded with `honshi.load_model`.
        image: a file, a PIL image, or uint8 pixels. Any size: it is scaled to what the model knows, and where the
            training images had been brought into a form before, as MNIST's were, into that.
        invert: swap dark and light, for ink on paper where the model learnt chalk on a board.
        as_is: only scale it.

    Raises:
        ModelError: nothing is known of how this model wants its images, or it answers with no numbers.
        ImageError: the file is not an image that can be read.
        DataNotFoundError: there is no such file.
    """
    contract = needed_card(model).contract
    pixels = prepare(image, replace(contract, form=None) if as_is else contract, invert=invert)
    return predict_pixels(model, pixels.unsqueeze(0))[0]


def predict_files(
    model: nn.Module, pictures: Sequence[Path], contract: InputContract, *, invert: bool = False
) -> Iterator[Answer]:
    """What a model takes each of many pictures for, in their order; one that cannot be read is reported in its place.

    Args:
        model: as for `predict`.
        pictures: their files.
        contract: what each must become; the model's own, or that without its form.
        invert: swap dark and light.

    Raises:
        ModelError: as `predict`.
    """
    for start in range(0, len(pictures), BATCH_SIZE):
        block: list[Prepared | ImageError] = []
        for picture in pictures[start : start + BATCH_SIZE]:
            try:
                block.append(prepared(picture, contract, invert=invert))
            except (ImageError, DataNotFoundError) as error:
                block.append(error if isinstance(error, ImageError) else ImageError(error.message))
        readable = [one for one in block if isinstance(one, Prepared)]
        predictions = iter(predict_pixels(model, torch.stack([one.pixels for one in readable])) if readable else ())
        for picture, one in zip(pictures[start:], block, strict=False):
            if isinstance(one, ImageError):
                yield Answer(picture, None, one)
            else:
                inverted = looks_inverted(one.pixels, contract)
                yield Answer(picture, next(predictions), formed=one.formed, inverted=inverted)


def predict_pixels(model: nn.Module, pixels: Tensor) -> Predictions:
    """The classes of many prepared images, uint8 (n, c, h, w).

    Raises:
        ImageError: the images are not in the form that the model wants.
        ModelError: nothing is known of how this model wants its images; it does not take them, or what it answers is
            no number for each class.
    """
    pixels = torch.as_tensor(pixels)
    card = needed_card(model)
    if pixels.dtype != torch.uint8 or pixels.shape[1:] != card.contract.shape:
        raise ImageError(
            "Prepared images are uint8 of shape (n, {shape}) for this model, and not {kind} {given}: "
            "honshi.prediction.prepare makes them of any picture.",
            shape=", ".join(map(str, card.contract.shape)),
            kind=str(pixels.dtype).removeprefix("torch."),
            given=tuple(pixels.shape),
        )
    device = device_of(model)
    # For one image it would take longer to look for such layers than they save.
    compiled = compiled_layers(model) if len(pixels) > 1 else nullcontext()
    watched = threads.giving_way() if len(pixels) > BATCH_SIZE else nullcontext()
    with evaluating(model) as scored, compiled, watched:
        answers = []
        for part in pixels.split(BATCH_SIZE):
            threads.look()
            answers.append(ask(scored, card.contract.normalization(part.to(device)), len(part)))
    logits = of_each_class(torch.cat(answers).cpu())
    if logits.shape[1] != len(card.classes):
        raise ModelError(
            "The model has {outputs} outputs and is to tell {classes} classes apart: it needs an output for each.",
            outputs=logits.shape[1],
            classes=len(card.classes),
        )
    probabilities = (logits / card.temperature).softmax(1, dtype=torch.float64)  # (n, k)
    if not probabilities.isfinite().all():
        raise ModelError(
            "The model's answers are not numbers (NaN or infinity), as after a training that diverged: its weights "
            "are of no use. Train it again with a smaller learning rate."
        )
    return Predictions(card.classes, probabilities)
