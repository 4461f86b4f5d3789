"""A model as an ONNX graph, layer by layer, in milliseconds and without running it.

Each of honshi's networks says beside its ``forward`` what it is in such a graph (``in_graph``); of torch's own layers
it is said here. A model of other layers has no graph here: `torch.onnx.export` finds one by running the model, which
takes seconds.

Shapes: n images, (c, h, w) each; k classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from honshi.models.card import Card, unwrapped
from honshi.native.layers import PoolingStage
from honshi.pictures.contract import Normalization
from honshi.runtime import is_as_made

INPUT, OUTPUTS = "images", ("logits", "probabilities")
# Versions of ONNX's operators and of its format that runtimes of several years know.
OPSET, IR_VERSION = 18, 8


class UnknownLayerError(Exception):
    """A layer that has no translation, or one that is not as it was made."""


class Network(Protocol):
    """A module that says what it is in a graph."""

    def in_graph(self, graph: Graph, x: str) -> str:
        """Its operators, added to a graph: the name of what it is given, to that of what it gives."""
        ...


class Graph:
    """Operators and weights, as they are added.

    Attributes:
        shape: of an image, (c, h, w).
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        from onnx import helper, numpy_helper

        self.shape = shape
        self._helper, self._numpy = helper, numpy_helper
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """An operator of ONNX with the names of its inputs; the name of its output."""
        output = f"{operator.lower()}{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, inputs, [output], **attributes))
        return output

    def weight(self, values: Tensor) -> str:
        """Numbers that belong to the model; their name."""
        if values.dtype not in (torch.float32, torch.int64):
            raise UnknownLayerError(f"weights of {values.dtype}")
        name = f"weight{len(self._weights)}"
        numbers = np.ascontiguousarray(values.detach().cpu().numpy())
        self._weights.append(self._numpy.from_array(numbers, name))
        return name

    def places(self, *values: int) -> str:
        """Whole numbers, as axes and sizes; their name."""
        return self.weight(torch.tensor(values, dtype=torch.int64))

    def layer(self, module: nn.Module, x: str) -> str:
        """A layer, or a network of them.

        Raises:
            UnknownLayerError: it has no translation.
        """
        if not is_as_made(module):
            raise UnknownLayerError(f"{type(module).__name__} with hooks")
        if translate := _LAYERS.get(type(module)):
            return translate(self, module, x)
        # Not of a class that computes something else from the same layers.
        home = next(kind for kind in type(module).__mro__ if "forward" in vars(kind))
        if "in_graph" not in vars(home):
            raise UnknownLayerError(type(module).__name__)
        network: Network = module  # type: ignore[assignment]
        return network.in_graph(self, x)

    def content(self, logits: str, card: Card, *, probabilities: bool) -> bytes:
        """The whole as an ONNX file, from bytes to logits and, if they are wanted, calibrated probabilities (n, k)."""
        helper, outputs = self._helper, OUTPUTS if probabilities else OUTPUTS[:1]
        self._nodes.append(helper.make_node("Identity", [logits], [OUTPUTS[0]]))
        if probabilities:
            divided = self.add("Div", OUTPUTS[0], self.weight(torch.tensor(card.temperature)))
            self._nodes.append(helper.make_node("Softmax", [divided], [OUTPUTS[1]], axis=1))
        given = helper.make_tensor_value_info(INPUT, 2, ["n", *self.shape])  # 2 is uint8, 1 float32
        wanted = [helper.make_tensor_value_info(name, 1, ["n", len(card.classes)]) for name in outputs]
        graph = helper.make_graph(self._nodes, "honshi", [given], wanted, self._weights)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="honshi",
            producer_version=version("honshi"),
        )
        describe(model, card)
        content: bytes = model.SerializeToString()
        return content


def graph_of(model: nn.Module, card: Card, *, probabilities: bool = True) -> bytes | None:
    """A model as the content of an ONNX file; None where a layer of it has no translation.

    The input ``images`` is uint8 (n, c, h, w) for any n, the outputs ``logits`` and ``probabilities`` are float32
    (n, k). What is in the file says nothing of whether the model decides by itself what to compute, so its answers are
    compared before they are trusted (`honshi.prediction.engines`).

    Args:
        model: its weights are copied.
        card: its input contract, classes and temperature.
        probabilities: whether they are computed beside the logits.
    """
    try:
        graph = Graph(card.contract.shape)
        x = _normalized(graph, card.contract.normalization)
        logits = graph.layer(unwrapped(model), x)
        return graph.content(logits, card, probabilities=probabilities)
    except UnknownLayerError:
        return None


def describe(proto: Any, card: Card) -> None:
    """Write into an ONNX model what its outputs mean, and what a picture must become before it."""
    preprocessing = {key: value for key, value in asdict(card.contract).items() if key != "normalization"}
    proto.doc_string = "uint8 pixels (n, c, h, w) to logits and calibrated probabilities (n, k)"
    for key, value in (
        ("honshi", version("honshi")),
        ("classes", json.dumps(card.classes, ensure_ascii=False)),
        ("temperature", repr(card.temperature)),
        ("preprocessing", json.dumps(preprocessing)),
    ):
        proto.metadata_props.add(key=key, value=value)


def _normalized(graph: Graph, normalization: Normalization) -> str:
    """Pixels as numbers: what `Normalization` does, in its order."""
    numbers = graph.add("Cast", INPUT, to=1)  # float32
    channels = (-1, 1, 1) if len(normalization.mean) > 1 else ()
    if channels:
        mean, std = (torch.tensor(of).view(channels) * 255 for of in (normalization.mean, normalization.std))
    else:
        mean, std = (torch.tensor(255 * of[0]) for of in (normalization.mean, normalization.std))
    return graph.add("Div", graph.add("Sub", numbers, graph.weight(mean)), graph.weight(std))


def _linear(graph: Graph, layer: nn.Linear, x: str) -> str:
    bias = () if layer.bias is None else (graph.weight(layer.bias),)
    return graph.add("Gemm", x, graph.weight(layer.weight), *bias, transB=1)


def _convolution(graph: Graph, layer: nn.Conv2d, x: str) -> str:
    if layer.padding_mode != "zeros":
        raise UnknownLayerError(f"a convolution padded by {layer.padding_mode}")
    size, dilation = layer.kernel_size, layer.dilation
    if layer.padding == "same":
        around = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
        before = [total // 2 for total in around]
        pads = [*before, *(total - first for total, first in zip(around, before, strict=True))]
    else:
        pads = [0] * 4 if isinstance(layer.padding, str) else [*layer.padding, *layer.padding]
    bias = () if layer.bias is None else (graph.weight(layer.bias),)
    return graph.add(
        "Conv",
        x,
        graph.weight(layer.weight),
        *bias,
        kernel_shape=size,
        strides=layer.stride,
        dilations=dilation,
        group=layer.groups,
        pads=pads,
    )


def _norm(graph: Graph, layer: nn.BatchNorm1d | nn.BatchNorm2d, x: str) -> str:
    if layer.running_mean is None or layer.running_var is None:
        raise UnknownLayerError("batch norm by the mini-batch")
    scale = torch.ones_like(layer.running_mean) if layer.weight is None else layer.weight
    shift = torch.zeros_like(layer.running_mean) if layer.bias is None else layer.bias
    weights = map(graph.weight, (scale, shift, layer.running_mean, layer.running_var))
    return graph.add("BatchNormalization", x, *weights, epsilon=layer.eps)


def _max_pool(graph: Graph, layer: nn.MaxPool2d, x: str) -> str:
    if layer.return_indices:
        raise UnknownLayerError("pooling that gives places")
    size, stride, padding = _two(layer.kernel_size), _two(layer.stride), _two(layer.padding)
    if layer.ceil_mode and (any(padding) or any(step > side for step, side in zip(stride, size, strict=True))):
        # Of a last window that would begin behind the features torch gives nothing, and ONNX something.
        raise UnknownLayerError("pooling with windows behind the edge")
    return graph.add(
        "MaxPool",
        x,
        kernel_shape=size,
        strides=stride,
        pads=[*padding, *padding],
        dilations=_two(layer.dilation),
        ceil_mode=int(layer.ceil_mode),
    )


def _flatten(graph: Graph, layer: nn.Flatten, x: str) -> str:
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise UnknownLayerError("flattening of some dimensions")
    return graph.add("Flatten", x, axis=1)


def _sequential(graph: Graph, layers: nn.Sequential, x: str) -> str:
    for layer in layers:
        x = graph.layer(layer, x)
    return x


def _as_it_is(graph: Graph, layer: nn.Module, x: str) -> str:
    return x


def _operator(name: str) -> Callable[[Graph, Any, str], str]:
    return lambda graph, layer, x: graph.add(name, x)


def _two(value: int | tuple[int, ...]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


# Of exactly these classes, in eval mode.
_LAYERS: dict[type[nn.Module], Callable[[Graph, Any, str], str]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.MaxPool2d: _max_pool,
    nn.Flatten: _flatten,
    nn.Sequential: _sequential,
    PoolingStage: _sequential,
    nn.Dropout: _as_it_is,
    nn.Dropout2d: _as_it_is,
    nn.Identity: _as_it_is,
    nn.ReLU: _operator("Relu"),
    nn.Sigmoid: _operator("Sigmoid"),
    nn.Tanh: _operator("Tanh"),
}
