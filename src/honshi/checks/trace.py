"""One way of a batch through a model: what each layer got, what it gave, and what stopped it.

Shapes: b images in a batch, each (c, h, w).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from honshi.models import Layer
from honshi.models.modes import Modes, evaluating

# Images in the batch that is sent through: no number that a layer is likely to have as its size.
PROBE = 11

Shape = tuple[int, ...]


@dataclass
class Trace:
    """One way of a batch through a model.

    Attributes:
        model: the one that it went through.
        inputs: (b, …), the batch.
        layers: what each layer gave, in the order of use.
        inside: the layers without layers in them that have been entered and not left, with what they got.
        image: the last output (c, h, w) that still had height and width.
        output: of the whole model.
        error: what stopped it.
    """

    model: nn.Module
    inputs: Tensor
    layers: list[Layer] = field(default_factory=list)
    inside: list[tuple[str, nn.Module, tuple[Any, ...]]] = field(default_factory=list)
    image: Shape | None = None
    output: Any = None
    error: Exception | None = None


def trace_forward(model: nn.Module, inputs: Tensor, training: bool = False) -> Trace:
    """Send a batch through a model, in eval mode or in train mode, and note what each layer gets and gives."""
    trace, modes = Trace(model, inputs), Modes(model)

    def enter(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            trace.inside.append((name, layer, arguments))

        return hook

    def leave(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, _arguments: object, output: object) -> None:
            trace.inside.pop()
            if isinstance(output, Tensor):
                own = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
                trace.layers.append(Layer(name, type(layer).__name__, tuple(output.shape[1:]), own))
                if output.dim() == 4:
                    trace.image = tuple(output.shape[1:])

        return hook

    handles = []
    for name, layer in observable_layers(model):
        if not any(layer.children()):
            handles.append(layer.register_forward_pre_hook(enter(name or "model")))
            handles.append(layer.register_forward_hook(leave(name or "model")))
    try:
        with evaluating(model):
            if training:
                modes.train()
            trace.output = model(inputs.clone())
    except Exception as error:
        trace.error = error
    finally:
        for handle in handles:
            handle.remove()
    return trace


def observable_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers of a model, by name, that take hooks: all but those that torch.jit has compiled."""
    return [(name, layer) for name, layer in model.named_modules() if not isinstance(layer, torch.jit.ScriptModule)]


def batch_shape(tensor: Tensor, images: int = PROBE) -> str:
    """A shape in which the batch is called b: ``(b, 1, 28, 28)``."""
    sizes = [str(size) for size in tensor.shape]
    if tensor.dim() and tensor.shape[0] == images:
        sizes[0] = "b"
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def times(shape: Shape) -> str:
    """``1×28×28``"""
    return "×".join(map(str, shape))
