"""What a model is built of, as plain values that JSON holds, and the model again from them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from honshi.errors import ModelError
from honshi.messages import Message
from honshi.models.ensemble import Ensemble
from honshi.models.tta import TTA
from honshi.recipe import ModelOptions, kind_called, kinds


def network_class(options: type[ModelOptions]) -> type[nn.Module]:
    """The class of the networks of a kind."""
    module, _, name = options.network.partition(":")
    found: type[nn.Module] = getattr(import_module(module), name)
    return found


def architecture_of(model: nn.Module) -> dict[str, Any]:
    """What builds a model of honshi again; of any other one only its name."""
    if type(model) is Ensemble:
        return {"kind": "ensemble", "members": [architecture_of(member) for member in model.members]}
    if type(model) is TTA:
        return {"kind": "tta", "shift": model.shift, "flip": model.flip, "model": architecture_of(model.model)}
    kind = _unaltered_kind(model)
    if kind is not None:
        return {"kind": kind, **_arguments(model)}
    return {"kind": f"{type(model).__module__}.{type(model).__qualname__}"}


def from_architecture(
    architecture: Mapping[str, Any], where: str = "The description", weights: Mapping[str, Tensor] | None = None
) -> nn.Module:
    """The model of which `architecture_of` gave this, with new weights.

    Args:
        architecture: what `architecture_of` gave.
        where: named in errors.
        weights: that are meant for it, where they are at hand.

    Raises:
        ModelError: it is not one of honshi's own, or the weights are for another one.
        KeyError, TypeError, ValueError: it is not an architecture.
    """
    if weights is not None:
        # Shapes without memory for them: a description may claim any size.
        with torch.device("meta"):
            claimed = _shapes(_built(architecture, where).state_dict())
        if claimed != (found := _shapes(weights)):
            name = next(name for name in [*claimed, *found] if claimed.get(name) != found.get(name))
            raise ModelError(
                "{where}: the weights do not fit the model: {name} is {found} and should be {wanted}.",
                where=where,
                name=name,
                found=_shown(found.get(name)),
                wanted=_shown(claimed.get(name)),
            )
    return _built(architecture, where)


def _built(architecture: Mapping[str, Any], where: str) -> nn.Module:
    options = dict(architecture)
    match options.pop("kind"):
        case "ensemble":
            return Ensemble([_built(member, where) for member in options["members"]])
        case "tta":
            return TTA(_built(options["model"], where), shift=options["shift"], flip=options["flip"])
        case kind:
            known = kind_called(kind)
            if known is None:
                raise ModelError(
                    "{where} holds a {kind}: build one and give it as load_model(path, into=model).",
                    where=where,
                    kind=kind,
                )
            return network_class(known)(**options)


def is_ours(model: nn.Module) -> bool:
    """Whether a model and all of its members are honshi's own, and as they were built."""
    if isinstance(model, TTA):
        return type(model) is TTA and is_ours(model.model)
    if isinstance(model, Ensemble):
        return type(model) is Ensemble and all(is_ours(member) for member in model.members)
    return _unaltered_kind(model) is not None


def network_in(model: nn.Module) -> nn.Module:
    """The network itself, without test-time augmentation around it; of an ensemble its first member."""
    while isinstance(model, (TTA, Ensemble)):
        model = model.model if isinstance(model, TTA) else model.members[0]
    return model


def _unaltered_kind(network: nn.Module) -> str | None:
    """The kind of a network whose layers are still those that its arguments build; None where one was replaced."""
    # Not of a subclass: it may compute something else from the same layers.
    where = f"{type(network).__module__}:{type(network).__qualname__}"
    known = ((kind, kind_called(kind)) for kind in kinds())
    kind = next((kind for kind, options in known if options is not None and options.network == where), None)
    if kind is None:
        return None
    with torch.device("meta"):  # shapes without memory for them
        built = type(network)(**_arguments(network))
    return kind if _layers(network) == _layers(built) else None


def _arguments(network: nn.Module) -> dict[str, Any]:
    """What a network says that it was built with."""
    found = network.architecture
    assert isinstance(found, dict)
    return found


def _layers(network: nn.Module) -> list[tuple[Any, ...]]:
    """What tells whether one network's weights mean the same in another one."""
    modules = [(name, type(module)) for name, module in network.named_modules()]
    return [*modules, *_shapes(network.state_dict()).items()]


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


def _shown(shape: tuple[int, ...] | None) -> Message:
    if shape is None:
        return Message("not there")
    return Message("{sizes}", sizes="×".join(map(str, shape)) or "a single number")
