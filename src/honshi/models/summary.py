"""What flows through a model: each layer's output shape and parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from honshi.models.modes import evaluating
from honshi.models.watched import leaves, watched
from honshi.runtime import device_of


@dataclass(frozen=True)
class Layer:
    """One line of the table.

    Attributes:
        name: as the model calls it, ``stages.stage1.0``.
        kind: the class, ``Conv2d``.
        output: shape of what comes out for one image, without the batch dimension.
        parameters: learnable numbers in this layer.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int


def layer_table(model: nn.Module, shape: tuple[int, ...]) -> list[Layer]:
    """Send one blank image through a model and note what each layer makes of it.

    Args:
        model: any module; it is left as it was.
        shape: of one input, (c, h, w).

    Returns:
        The layers that have no layers inside them, in the order in which they are used.
    """
    rows: list[Layer] = []

    def note(name: str, layer: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            own = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
            rows.append(Layer(name, type(layer).__name__, tuple(output.shape[1:]), own))

    # In eval mode, because batch norm in training mode refuses a single image and would learn from it.
    with watched(leaves(model), note), evaluating(model) as scored:
        scored(torch.zeros(1, *shape, device=device_of(model)))
    return rows


def parameter_count(model: nn.Module) -> int:
    """All learnable numbers of a model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
