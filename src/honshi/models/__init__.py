"""Part 2 of the lecture: the models, and the table of what flows through them."""

from __future__ import annotations

from torch import nn

from honshi.errors import RecipeError
from honshi.models.architecture import network_in
from honshi.models.cnn import CNN
from honshi.models.ensemble import Ensemble
from honshi.models.mlp import MLP
from honshi.models.summary import Layer, layer_table, parameter_count
from honshi.models.tta import TTA
from honshi.recipe import CNNOptions, MLPOptions, TTAOptions

__all__ = ["CNN", "MLP", "TTA", "Ensemble", "Layer", "build", "layer_table", "network_in", "parameter_count"]


def build(
    options: MLPOptions | CNNOptions, shape: tuple[int, int, int], classes: int, tta: TTAOptions | None = None
) -> nn.Module:
    """The model that a recipe asks for, for images of ``shape`` (c, h, w).

    Raises:
        RecipeError: the images are too small to be shifted so far, or for the first layer.
    """
    if isinstance(options, CNNOptions) and options.stem == "stride" and min(shape[1:]) < 5:
        raise RecipeError(f'model.stem "stride" needs images of at least 5×5 pixels, these are {shape[1]}×{shape[2]}.')
    members = [_network(options, shape, classes) for _ in range(options.members)]
    model = members[0] if len(members) == 1 else Ensemble(members)
    if tta is None or tta == TTAOptions():
        return model
    if tta.shift >= min(shape[1:]):
        raise RecipeError(f"tta.shift is {tta.shift} pixels and an image only {shape[1]}×{shape[2]}: give fewer.")
    return TTA(model, shift=tta.shift, flip=tta.flip)


def _network(options: MLPOptions | CNNOptions, shape: tuple[int, int, int], classes: int) -> nn.Module:
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
            return CNN(
                channels,
                options.widths,
                classes,
                residual=options.residual,
                stem=options.stem,
                dropout=options.dropout,
            )
