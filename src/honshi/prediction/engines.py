"""What computes the logits of prepared images: torch, or ONNX Runtime.

An engine knows pixels and logits. What pictures become before and what answers become of logits is the same for both.

Shapes: n images, (c, h, w) each; k classes.
"""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from honshi.evaluation.answers import ask
from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.models.card import Card
from honshi.models.graph import INPUT, OUTPUTS, graph_of
from honshi.models.modes import evaluating
from honshi.models.outputs import of_each_class
from honshi.native.layers import compiled_layers
from honshi.pictures.contract import Normalization
from honshi.runtime import device_of, threads

# How far the logits of two engines may be apart.
TOLERANCE = 1e-4
# Of how many images an engine is tried with; not a divisor of anything.
TRIED_IMAGES = 7


class Engine(Protocol):
    """
    Attributes:
        name: which it is.
    """

    name: str

    def logits(self, pixels: Tensor) -> Tensor:
        """Of prepared images, uint8 (n, c, h, w), n > 0: the model's outputs on the CPU, as `logits_of` takes them."""
        ...


class Torch:
    """The model itself, its compiled layers among it, on the device where it is."""

    name = "torch"

    def __init__(self, model: nn.Module, normalization: Normalization) -> None:
        self.model = model
        self.normalization = normalization

    def logits(self, pixels: Tensor) -> Tensor:
        """As `Engine.logits`.

        Raises:
            ModelError: the model does not take such images, or what it answers are no logits.
        """
        device = device_of(self.model)
        if len(pixels) == 1:
            # For one image it would take longer to look for compiled layers than they save.
            with evaluating(self.model) as scored:
                return ask(scored, self.normalization(pixels.to(device)), 1).cpu()
        answers = []
        with evaluating(self.model) as scored, compiled_layers(scored):
            for part in pixels.split(BATCH_SIZE):
                threads.look()
                answers.append(ask(scored, self.normalization(part.to(device)), len(part)))
        return torch.cat(answers).cpu()


class OnnxRuntime:
    """ONNX Runtime with a model's graph, which holds the weights as they were when it was made.

    One thread computes an image, so that many threads may ask at once; of many images each thread that torch would use
    computes some.
    """

    name = "onnxruntime"

    def __init__(self, content: bytes) -> None:
        """
        Args:
            content: of an ONNX file.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    @classmethod
    def agreeing(cls, content: bytes, other: Engine, shape: tuple[int, int, int]) -> Self | None:
        """ONNX Runtime with this content, if it gives the answers of another engine to images (c, h, w)."""
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, NotImplemented

        try:
            engine = cls(content)
            return engine if difference(engine, other, shape) <= TOLERANCE else None
        except (Fail, InvalidArgument, InvalidGraph, NotImplemented):
            return None

    def logits(self, pixels: Tensor) -> Tensor:
        """As `Engine.logits`."""
        if len(pixels) <= BATCH_SIZE:
            return self._of(pixels)
        parts = pixels.split(BATCH_SIZE)
        with ThreadPoolExecutor(min(len(parts), torch.get_num_threads())) as pool:
            return torch.cat(list(pool.map(self._of, parts)))

    def _of(self, pixels: Tensor) -> Tensor:
        (logits,) = self.session.run([OUTPUTS[0]], {INPUT: pixels.numpy()})
        return torch.from_numpy(logits)


def has_onnx_runtime() -> bool:
    """Whether ONNX Runtime is installed, and what makes a graph for it."""
    return all(importlib.util.find_spec(package) is not None for package in ("onnx", "onnxruntime"))


def difference(one: Engine, other: Engine, shape: tuple[int, int, int]) -> float:
    """The largest between two engines' logits of some images of noise (c, h, w); NaN where one gives such."""
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (TRIED_IMAGES, *shape), generator=draws, dtype=torch.uint8)
    logits, others = (of_each_class(engine.logits(pixels)) for engine in (one, other))
    return float((logits - others).abs().max()) if logits.shape == others.shape else float("inf")


def onnx_runtime_for(model: nn.Module, card: Card) -> OnnxRuntime | None:
    """ONNX Runtime with this model; None where that is not installed, knows no such model, or gives other answers."""
    if not has_onnx_runtime() or device_of(model).type != "cpu":
        return None
    content = graph_of(model, card, probabilities=False)
    if content is None:
        return None
    return OnnxRuntime.agreeing(content, Torch(model, card.contract.normalization), card.contract.shape)
