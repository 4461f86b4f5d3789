"""Part 4 of the lecture: the optimizer, and how its learning rate changes over the training."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from honshi.optimizers.muon import Muon
from honshi.optimizers.path import Path
from honshi.optimizers.schedules import build_schedule, rate_factor
from honshi.recipe import AdamOptions, MuonOptions, OptimizerOptions, PathOptions, SGDOptions

__all__ = ["Muon", "Path", "build", "build_schedule", "rate_factor"]


def build(options: OptimizerOptions, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that a recipe asks for, over the parameters of ``model``.

    Weight decay acts on matrices and filters alone: decaying biases and the scales of norms only
    pulls them off where the data put them.
    """
    _leave_the_compiler_asleep()
    # A frozen backbone has parameters that nobody trains.
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if parameter.dim() > 1]
    others = [parameter for parameter in trained if parameter.dim() <= 1]
    groups: list[dict[str, Any]] = [{"params": [*decayed, *others]}]
    if options.weight_decay:
        groups = [{"params": decayed, "weight_decay": options.weight_decay}, {"params": others}]
    device = trained[0].device
    # One kernel for Adam's whole update where the device has it, instead of ten a parameter. Plain SGD
    # has only one a parameter, and on a CPU nothing is won.
    fused = device.type in ("cpu", "cuda")
    # On the GPU a rate that is a number would be fixed in the captured step for ever.
    graph = device.type == "cuda"
    lr = torch.tensor(options.lr, device=device) if graph else options.lr
    match options:
        case MuonOptions():
            matrices, rest = _hidden_matrices(model)
            return Muon(
                matrices,
                rest,
                lr=lr,
                adam_lr=torch.tensor(options.adam_lr, device=device) if graph else options.adam_lr,
                momentum=options.momentum,
                weight_decay=options.weight_decay,
            )
        case PathOptions():
            return Path(decayed, others, lr=options.lr, weight_decay=options.weight_decay, fall=options.fall)
        case SGDOptions():
            optimizer: torch.optim.Optimizer = torch.optim.SGD(
                groups, lr=lr, momentum=options.momentum, nesterov=options.nesterov, fused=graph or None
            )
        case AdamOptions(kind="adam"):
            optimizer = torch.optim.Adam(groups, lr=lr, betas=options.betas, fused=fused, capturable=graph)
        case AdamOptions():
            # torch's own default is a decay of 0.01; here nothing decays unless the recipe says so.
            optimizer = torch.optim.AdamW(
                groups, lr=lr, betas=options.betas, weight_decay=0.0, fused=fused, capturable=graph
            )
    _step_without_the_compiler(optimizer)
    return optimizer


def _hidden_matrices(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """What Muon is for, matrices and filters of all layers but the last, and all other parameters.

    Of an ensemble each member has a last layer: all that answer with as many numbers as the very last.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear) and module.weight.requires_grad]
    last = {id(layer.weight) for layer in layers if layer.out_features == layers[-1].out_features}
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        (others if parameter.dim() < 2 or id(parameter) in last else matrices).append(parameter)
    return matrices, others


def _leave_the_compiler_asleep() -> None:
    """Make an optimizer without loading torch's compiler, which takes longer than a short training.

    Some methods of every optimizer tell the compiler to leave them alone, and load it to do so. They look
    first for what it answered the last time; here that answer is the method itself.
    """
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if method is not None and not hasattr(method, "__dynamo_disable"):
            setattr(method, "__dynamo_disable", method)


def _step_without_the_compiler(optimizer: torch.optim.Optimizer) -> None:
    """The same for the step of torch's own optimizers: it loads the compiler to tell it where a graph breaks.

    What lies below is the step itself, without gradients as there; its hooks are called as always.
    """
    kind: Any = type(optimizer)
    step = _step_below_the_compiler(kind)
    if step is not None:
        # Bound to no more than a proxy, or the optimizer would hold itself, and its tensors, in memory.
        optimizer.step = MethodType(step, weakref.proxy(optimizer))  # type: ignore[method-assign]


@cache
def _step_below_the_compiler(kind: type[Any]) -> Callable[..., Any] | None:
    told = getattr(kind.step, "__wrapped__", None)
    step = getattr(told, "__wrapped__", None)
    return None if step is None else torch.optim.Optimizer.profile_hook_step(torch.no_grad()(step))


def steps_as_made(optimizer: torch.optim.Optimizer) -> bool:
    """Whether its methods are those of its class: nobody has given it a step, or another method, of its own."""
    given = {name for name in vars(optimizer) if callable(getattr(type(optimizer), name, None))}
    kind: Any = type(optimizer)
    step = vars(optimizer).get("step")
    if getattr(step, "__func__", None) is _step_below_the_compiler(kind):
        given.discard("step")
    return not given
