"""A trained model as an ONNX file, for runtimes that know nothing of PyTorch.

The graph takes pixels as the bytes they are, so that nobody has to normalise them in the same way again; and
gives logits, and probabilities that are calibrated as those of `honshi.predict`. What lies before the pixels
(decoding, scaling, grey or RGB) is `honshi.prediction.prepare`.

Shapes: n images, (c, h, w) each; k classes.
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

from honshi.errors import ModelError, RequestError
from honshi.files import write_whole
from honshi.models.card import needed_card, unwrapped
from honshi.models.modes import full_precision
from honshi.models.outputs import of_each_class
from honshi.pictures.contract import Normalization

# How far the logits of another runtime may be from ours.
TOLERANCE = 1e-4
# Of how many images the file is tried with before it gets its name; not a divisor of anything.
TRIED_IMAGES = 7
INPUT, OUTPUTS = "images", ("logits", "probabilities")


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
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise RequestError(
            "To export ONNX, {module} is needed: pip install 'honshi[onnx]'.", module=error.name
        ) from error

    card = needed_card(model)
    whole = _Whole(copy.deepcopy(unwrapped(model)).cpu(), card.contract.normalization, card.temperature).eval()
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (TRIED_IMAGES, *card.contract.shape), generator=draws, dtype=torch.uint8)
    with _quiet():
        try:
            program = torch.onnx.export(
                whole,
                (pixels[:2],),
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
    proto.doc_string = "uint8 pixels (n, c, h, w) to logits and calibrated probabilities (n, k)"
    for key, value in (
        ("honshi", version("honshi")),
        ("classes", json.dumps(card.classes, ensure_ascii=False)),
        ("temperature", repr(whole.temperature)),
    ):
        proto.metadata_props.add(key=key, value=value)
    content = proto.SerializeToString()

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run([OUTPUTS[0]], {INPUT: pixels.numpy()})
    with torch.no_grad():
        difference = float((torch.from_numpy(logits) - whole(pixels)[0]).abs().max())
    if not difference <= TOLERANCE:
        raise ModelError(
            "ONNX Runtime's logits are up to {difference:.2g} from this model's, so {path} was not written. "
            "Does the model decide by itself what to compute?",
            difference=difference,
            path=path,
        )
    try:
        write_whole(path, content)
    except OSError as error:
        raise RequestError("{path}: the file cannot be written: {reason}.", path=path, reason=error.strerror) from error
    (opset,) = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    return Exported(path, len(content), opset, card.contract.shape, card.classes, difference)


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
