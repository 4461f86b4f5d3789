"""A model at hand asked about a picture, or about prepared images.

Shapes: n images; (c, h, w) one image as the model knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.models.card import Card, needed_card
from honshi.pictures.contract import InputContract
from honshi.pictures.prepare import Picture, prepare
from honshi.prediction.answers import Answer, Prediction, Predictions, answered, answered_one
from honshi.prediction.engines import Torch
from honshi.prediction.files import answer_files
from honshi.runtime import threads


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
    card = needed_card(model)
    contract = replace(card.contract, form=None) if as_is else card.contract
    pixels = prepare(image, contract, invert=invert)
    return answered_one(Torch(model, card.contract.normalization), card, pixels)


def predict_pixels(model: nn.Module, pixels: Tensor) -> Predictions:
    """The classes of many prepared images, uint8 (n, c, h, w).

    Raises:
        ImageError: the images are not in the form that the model wants.
        ModelError: nothing is known of how this model wants its images; it does not take them, or what it answers is
            no number for each class.
    """
    return _asked(model, needed_card(model), pixels)


def _asked(model: nn.Module, card: Card, pixels: Tensor) -> Predictions:
    with threads.giving_way() if len(pixels) > BATCH_SIZE else nullcontext():
        return answered(Torch(model, card.contract.normalization), card, pixels)


def predict_files(
    model: nn.Module,
    pictures: Iterable[Path | bytes],
    contract: InputContract,
    *,
    invert: bool = False,
    seen: Callable[[Path, Tensor], None] | None = None,
) -> Iterator[Answer]:
    """What a model takes each of many pictures for, in their order; one that cannot be read is reported in its place.

    Args:
        model: as for `predict`.
        pictures: their files, or the content of one.
        contract: what each must become; the model's own, or that without its form.
        invert: swap dark and light.
        seen: called with each picture's name and what the model saw of it, uint8 (c, h, w), before its answer.

    Raises:
        ModelError: as `predict`.
    """
    return answer_files(partial(predict_pixels, model), pictures, contract, invert=invert, seen=seen)
