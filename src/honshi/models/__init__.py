"""Part 2 of the lecture: the models, and the table of what flows through them."""

from __future__ import annotations

from torch import nn

from honshi.errors import RecipeError
from honshi.models import backbones
from honshi.models.architecture import network_class, network_in
from honshi.models.cnn import CNN
from honshi.models.ensemble import Ensemble
from honshi.models.frozen import Frozen
from honshi.models.mlp import MLP
from honshi.models.summary import Layer, layer_table, parameter_count
from honshi.models.tta import TTA
from honshi.pictures.contract import InputContract
from honshi.recipe import FrozenOptions, ModelOptions, TTAOptions

__all__ = ["CNN", "MLP", "TTA", "Ensemble", "Frozen", "Layer", "build", "layer_table", "network_in", "parameter_count"]


def input_contract(options: ModelOptions) -> InputContract | None:
    """What a kind of model wants an image to be, whatever the data are; None where it takes them as they are.

    Raises:
        ModelError: its backbone is not installed, or cannot be had.
    """
    if isinstance(options, FrozenOptions):
        return backbones.input_contract(options.backbone, options.revision)
    return None


def build(options: ModelOptions, shape: tuple[int, int, int], classes: int, tta: TTAOptions | None = None) -> nn.Module:
    """The model that a recipe asks for, for images of ``shape`` (c, h, w).

    Raises:
        RecipeError: the images are too small to be shifted so far, or for the first layer.
    """
    arguments = options.arguments(shape, classes)
    network = network_class(type(options))
    # Where a kind begins with weights that were trained before, its class says how it gets them.
    begin = getattr(network, "pretrained", network)
    members = [begin(**arguments) for _ in range(options.members)]
    model = members[0] if len(members) == 1 else Ensemble(members)
    if tta is None or tta == TTAOptions():
        return model
    if options.kept_views(augmented=False):
        raise RecipeError(
            "Of a frozen backbone the features of an image itself are kept, and not of copies: leave [tta] out."
        )
    if tta.shift >= min(shape[1:]):
        raise RecipeError(
            "tta.shift is {shift} pixels and an image only {height}×{width}: give fewer.",
            shift=tta.shift,
            height=shape[1],
            width=shape[2],
        )
    return TTA(model, shift=tta.shift, flip=tta.flip)
