"""A trained model as an ONNX file, for runtimes that know nothing of PyTorch.

The graph takes pixels as the bytes they are, so that nobody has to normalise them in the same way again; and
gives logits, and probabilities that are calibrated as those of `honshi.predict`. What lies before the pixels
(decoding, scaling, grey or RGB) is `honshi.prediction.prepare`.

Shapes: n images, (c, h, w) each; k classes.
"""

from __future__ import annotations

import copy
import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from honshi.errors import ModelError, RequestError
from honshi.files import write_whole
from honshi.models.card import Card, needed_card, unwrapped
from honshi.models.graph import INPUT, OUTPUTS, describe, graph_of
from honshi.models.modes import full_precision
from honshi.models.outputs import of_each_class
from honshi.pictures.contract import Normalization
from honshi.prediction.engines import TOLERANCE, OnnxRuntime, Torch, difference


@dataclass(frozen=True)
class Exported:
    """An ONNX file that was written and tried.

    Attributes:
        path: the file.
        size: its bytes.
        opset: the version of ONNX's operators that a runtime must know.
        shape: of an image, (c, h, w).
        classes: their names, in the order of the outputs.
        difference: the largest between a logit of ONNX Runtime and ours.
    """

    path: Path
    size: int
    opset: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    difference: float


class _Whole(nn.Module):
    """From bytes to probabilities: what `honshi.prediction.predict_pixels` does around a model."""

    def __init__(self, model: nn.Module, normalization: Normalization, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.normalization = normalization
        self.temperature = temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels, uint8 (n, c, h, w), to logits and probabilities, float32 (n, k)."""
        logits = of_each_class(full_precision(self.model(self.normalization(images))))
        return logits, (logits / self.temperature).softmax(1)


def to_onnx(model: nn.Module, path: Path) -> Exported:
    """Write a model as ONNX, whole or not at all, after ONNX Runtime has given the same answers as the model.

    The input ``images`` is uint8 (n, c, h, w) for any n, the outputs ``logits`` and ``probabilities`` are float32
    (n, k). Names of the classes, temperature and honshi's version are in the file's metadata.

    Args:
        model: one that was trained by `honshi.fit` on `Images`, or loaded with `honshi.load_model`; it is left alone.
        path: the file; one that is there is replaced.

    Raises:
        RequestError: ONNX is not installed, or there can be no file of that name.
        ModelError: nothing is known of how this model wants its images; or it cannot be expressed in ONNX; or ONNX
            Runtime gives other answers.
    """
    if path.is_dir():
        raise RequestError(
            "{path}: this is a folder. Give the name of a file: {example}.", path=path, example=path / "model.onnx"
        )
    _need("onnx", "onnxruntime")
    card = needed_card(model)
    kept = copy.deepcopy(unwrapped(model)).cpu().eval()
    ours = Torch(kept, card.contract.normalization)
    content = graph_of(kept, card)
    engine = None if content is None else OnnxRuntime.agreeing(content, ours, card.contract.shape)
    if content is None or engine is None:
        content = _traced(_Whole(kept, card.contract.normalization, card.temperature), card)
        engine = OnnxRuntime(content)
    apart = difference(engine, ours, card.contract.shape)
    if not apart <= TOLERANCE:
        raise ModelError(
            "ONNX Runtime's logits are up to {difference:.2g} from this model's, so {path} was not written. "
            "Does the model decide by itself what to compute?",
            difference=apart,
            path=path,
        )
    import onnx

    (opset,) = [entry.version for entry in onnx.load_from_string(content).opset_import if not entry.domain]
    try:
        write_whole(path, content)
    except OSError as error:
        raise RequestError("{path}: the file cannot be written: {reason}.", path=path, reason=error.strerror) from error
    return Exported(path, len(content), opset, card.contract.shape, card.classes, apart)


def _need(*packages: str) -> None:
    """
    Raises:
        RequestError: one of them is not installed.
    """
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise RequestError(
                "To export ONNX, {module} is needed: pip install 'honshi[onnx]'.", module=error.name
            ) from error


def _traced(whole: nn.Module, card: Card) -> bytes:
    """What torch makes of a model by running it, as the content of an ONNX file.

    Raises:
        RequestError: what torch needs for that is not installed.
        ModelError: it cannot be expressed in ONNX.
    """
    _need("onnxscript")
    pixels = torch.zeros(2, *card.contract.shape, dtype=torch.uint8)
    with _quiet():
        try:
            program = torch.onnx.export(
                whole,
                (pixels,),
                dynamo=True,
                verbose=False,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes=({0: torch.export.Dim("n")},),
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError("This model cannot be expressed in ONNX: {reason}", reason=reason) from error
    assert program is not None
    proto = program.model_proto
    describe(proto, card)
    content: bytes = proto.SerializeToString()
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says to its own developers."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
