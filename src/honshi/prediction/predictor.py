"""A model that is asked often: by a server, a page, a loop over a camera's pictures.

Shapes: n images; (c, h, w) one image as the model knows it; k classes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from honshi.errors import RequestError
from honshi.models.card import needed_card, unwrapped
from honshi.pictures.contract import InputContract
from honshi.pictures.prepare import Picture, prepare
from honshi.prediction.answers import Answer, Prediction, Predictions, answered, answered_one
from honshi.prediction.engines import Engine, Torch, onnx_runtime_for
from honshi.prediction.files import answer_files
from honshi.runs import Run, find

EngineName = Literal["auto", "onnxruntime", "torch"]


class Predictor:
    """What a model takes pictures for, as often as one asks, and from as many threads as one likes.

    It keeps the model as it is when it is given: later training does not change its answers. It changes neither that
    model's mode nor any setting of the process. Where ONNX Runtime is installed (``pip install 'honshi[onnx]'``) and
    gives the model's answers, it computes them, in a fraction of the time that torch takes for one image.

    Attributes:
        classes: their names (k).
        contract: what a picture becomes before the model sees it.
        engine: what computes: "onnxruntime" or "torch".
    """

    def __init__(self, model: nn.Module | Run | str | Path, *, engine: EngineName = "auto") -> None:
        """
        Args:
            model: a run as commands take it (its folder, its name, "latest" or "best"), a `Run`, or a model that was
                trained by `honshi.fit` on `Images` or loaded with `honshi.load_model`.
            engine: "onnxruntime" or "torch" to have just that.

        Raises:
            RunNotFoundError, RunError: there is no such run, or it has no model.
            ModelError: nothing is known of how this model wants its images.
            RequestError: ONNX Runtime was asked for, and it is not installed or cannot compute this model.
        """
        if engine not in ("auto", "onnxruntime", "torch"):
            raise RequestError('An engine is "auto", "onnxruntime" or "torch", not {engine!r}.', engine=engine)
        if not isinstance(model, nn.Module):
            model = (model if isinstance(model, Run) else find(str(model))).model()
        self._card = needed_card(model)
        kept = copy.deepcopy(unwrapped(model)).eval().requires_grad_(False)
        computing: Engine | None = None if engine == "torch" else onnx_runtime_for(kept, self._card)
        if computing is None and engine == "onnxruntime":
            raise RequestError(
                "ONNX Runtime cannot compute this model, or is not installed: pip install 'honshi[onnx]'. "
                'engine="auto" takes torch then.'
            )
        self._engine = computing or Torch(kept, self._card.contract.normalization)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._card.classes

    @property
    def contract(self) -> InputContract:
        return self._card.contract

    @property
    def engine(self) -> str:
        return self._engine.name

    def __repr__(self) -> str:
        return f"Predictor({len(self.classes)} classes, images {self.contract.shape}, by {self.engine})"

    def predict(self, image: Picture, *, invert: bool = False, as_is: bool = False) -> Prediction:
        """The class of one image, with its confidence; as `honshi.predict`.

        Raises:
            ImageError, DataNotFoundError, ModelError: as `honshi.predict`.
        """
        contract = self._contract_for(as_is)
        return answered_one(self._engine, self._card, prepare(image, contract, invert=invert))

    def predict_many(self, images: Iterable[Picture], *, invert: bool = False, as_is: bool = False) -> Predictions:
        """The classes of images of any kind that `predict` takes, computed together.

        Raises:
            ImageError, DataNotFoundError, ModelError: as `honshi.predict`.
        """
        contract = self._contract_for(as_is)
        pixels = [prepare(image, contract, invert=invert) for image in images]
        return self.predict_pixels(
            torch.stack(pixels) if pixels else torch.empty(0, *contract.shape, dtype=torch.uint8)
        )

    def predict_pixels(self, pixels: Tensor) -> Predictions:
        """The classes of many prepared images, uint8 (n, c, h, w).

        Raises:
            ImageError, ModelError: as `honshi.prediction.predict_pixels`.
        """
        return answered(self._engine, self._card, pixels)

    def predict_files(
        self, pictures: Iterable[Path | bytes], *, invert: bool = False, as_is: bool = False
    ) -> Iterator[Answer]:
        """What the model takes each of many files for, in their order; one that cannot be read is told in its place.

        Raises:
            ModelError: as `honshi.predict`.
        """
        return answer_files(self.predict_pixels, pictures, self._contract_for(as_is), invert=invert)

    def _contract_for(self, as_is: bool) -> InputContract:
        return replace(self.contract, form=None) if as_is else self.contract
