"""Which part of a training goes to which parameter of a function of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from honshi.errors import RequestError

# The lecture's order, and what else these parameters are called.
ROLES: dict[str, tuple[str, ...]] = {
    "model": ("model", "net", "network"),
    "loader": ("loader", "dataloader", "data_loader", "batches", "data", "dl"),
    "criterion": ("criterion", "loss_fn", "loss_func", "loss_function", "loss"),
    "optimizer": ("optimizer", "optim", "opt"),
    "device": ("device", "dev"),
    "epochs": ("epochs", "num_epochs", "n_epochs", "epoch"),
}


def arguments_for(function: Callable[..., Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Which part goes to which parameter: by its name, and a name that says nothing by the lecture's order.

    Raises:
        RequestError: a parameter without a default is none of them.
    """
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind not in variadic]
    roles = {parameter.name: _role_of(parameter.name) for parameter in parameters}
    order = ["model", "loader", "criterion", "device"]
    if "optimizer" in roles.values() or len(parameters) > len(order):
        order.insert(3, "optimizer")
    chosen = {}
    for place, parameter in enumerate(parameters):
        role = roles[parameter.name]
        if role is None and parameter.default is inspect.Parameter.empty:
            free = place < len(order) and order[place] not in roles.values()
            role = order[place] if free else None
            if role is None:
                raise RequestError(
                    "{function} asks for {parameter!r}, which cannot be filled in: known are the arguments of "
                    "train(model, loader, criterion, optimizer, device) and evaluate(model, loader, criterion, "
                    "device). Give any other parameter a default.",
                    function=name_of(function),
                    parameter=parameter.name,
                )
        if role is not None and (role != "epochs" or parameter.default is inspect.Parameter.empty):
            chosen[parameter.name] = parts[role]
    return chosen


def _role_of(name: str) -> str | None:
    lowered = name.lower()
    for role, names in ROLES.items():
        if lowered in names:
            return role
    # train_loader, val_loader, testloader, valid_dl
    return "loader" if lowered.endswith(("loader", "_dl")) else None


def name_of(function: Callable[..., Any]) -> str:
    """``train()``"""
    return f"{getattr(function, '__name__', type(function).__name__)}()"
