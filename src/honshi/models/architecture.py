"""What a model is built of, as plain values that JSON holds, and the model again from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from honshi.errors import ModelError
from honshi.models.cnn import CNN
from honshi.models.ensemble import Ensemble
from honshi.models.mlp import MLP
from honshi.models.tta import TTA


def architecture_of(model: nn.Module) -> dict[str, Any]:
    """What builds a model of honshi again; of any other one only its name."""
    # Not of a subclass: it may compute something else from the same layers.
    kind = type(model)
    if kind in (MLP, CNN):
        return dict(model.architecture)  # type: ignore[arg-type]
    if type(model) is Ensemble:
        return {"kind": "ensemble", "members": [architecture_of(member) for member in model.members]}
    if type(model) is TTA:
        return {"kind": "tta", "shift": model.shift, "flip": model.flip, "model": architecture_of(model.model)}
    return {"kind": f"{kind.__module__}.{kind.__qualname__}"}


def from_architecture(architecture: Mapping[str, Any], where: str = "The description") -> nn.Module:
    """The model of which `architecture_of` gave this, with new weights; ``where`` is named in errors.

    Raises:
        ModelError: it is not one of honshi's own.
        KeyError, TypeError, ValueError: it is no architecture.
    """
    options = dict(architecture)
    match options.pop("kind"):
        case "mlp":
            return MLP(**options)
        case "cnn":
            return CNN(**options)
        case "ensemble":
            return Ensemble([from_architecture(member, where) for member in options["members"]])
        case "tta":
            return TTA(from_architecture(options["model"], where), shift=options["shift"], flip=options["flip"])
        case kind:
            raise ModelError(f"{where} holds a {kind}: build one and give it as load_model(path, into=model).")


def is_ours(model: nn.Module) -> bool:
    """Whether a model and all of its members are honshi's own."""
    if isinstance(model, TTA):
        return type(model) is TTA and is_ours(model.model)
    if isinstance(model, Ensemble):
        return type(model) is Ensemble and all(is_ours(member) for member in model.members)
    return type(model) in (MLP, CNN)


def network_in(model: nn.Module) -> nn.Module:
    """The network itself, without test-time augmentation around it; of an ensemble its first member."""
    while isinstance(model, (TTA, Ensemble)):
        model = model.model if isinstance(model, TTA) else model.members[0]
    return model
