"""Part 2 of the lecture: the models, and the table of what flows through them."""

from __future__ import annotations

from torch import nn

from honshi.models.cnn import CNN
from honshi.models.mlp import MLP
from honshi.models.summary import Layer, layer_table, parameter_count
from honshi.recipe import CNNOptions, MLPOptions

__all__ = ["CNN", "MLP", "Layer", "build", "layer_table", "parameter_count"]


def build(options: MLPOptions | CNNOptions, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The model that a recipe asks for, for images of ``shape`` (c, h, w)."""
    channels, height, width = shape
    match options:
        case MLPOptions():
            return MLP(
                channels * height * width,
                options.hidden,
                classes,
                dropout=options.dropout,
                batch_norm=options.batch_norm,
            )
        case CNNOptions():
            return CNN(channels, options.widths, classes, dropout=options.dropout)
