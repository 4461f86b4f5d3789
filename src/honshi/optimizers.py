"""Part 4 of the lecture: the optimizer, and how its learning rate changes over the training."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from honshi.recipe import (
    AdamOptions,
    ConstantOptions,
    CosineOptions,
    OneCycleOptions,
    ScheduleOptions,
    SGDOptions,
    StepOptions,
)


def build(options: SGDOptions | AdamOptions, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that a recipe asks for, over the parameters of ``model``.

    Weight decay acts on matrices and filters alone: decaying biases and the scales of norms only
    pulls them off where the data put them.
    """
    _leave_the_compiler_asleep()
    decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    others = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    groups: list[dict[str, Any]] = [{"params": [*decayed, *others]}]
    if options.weight_decay:
        groups = [{"params": decayed, "weight_decay": options.weight_decay}, {"params": others}]
    device = next(model.parameters()).device
    # One kernel for Adam's whole update where the device has it, instead of ten a parameter. Plain SGD
    # has only one a parameter, and on a CPU nothing is won.
    fused = device.type in ("cpu", "cuda")
    # On the GPU a rate that is a number would be fixed in the captured step for ever.
    graph = device.type == "cuda"
    lr = torch.tensor(options.lr, device=device) if graph else options.lr
    match options:
        case SGDOptions():
            return torch.optim.SGD(
                groups, lr=lr, momentum=options.momentum, nesterov=options.nesterov, fused=graph or None
            )
        case AdamOptions(kind="adam"):
            return torch.optim.Adam(groups, lr=lr, betas=options.betas, fused=fused, capturable=graph)
        case AdamOptions():
            # torch's own default is a decay of 0.01; here nothing decays unless the recipe says so.
            return torch.optim.AdamW(
                groups, lr=lr, betas=options.betas, weight_decay=0.0, fused=fused, capturable=graph
            )


def _leave_the_compiler_asleep() -> None:
    """Make an optimizer without loading torch's compiler, which takes longer than a short training.

    Some methods of every optimizer tell the compiler to leave them alone, and load it to do so. They look
    first for what it answered the last time; here that answer is the method itself.
    """
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if method is not None and not hasattr(method, "__dynamo_disable"):
            setattr(method, "__dynamo_disable", method)


def build_schedule(
    options: ScheduleOptions, optimizer: torch.optim.Optimizer, steps_per_epoch: int, epochs: int
) -> LambdaLR | None:
    """The schedule that a recipe asks for, to be stepped after every mini-batch; None if it is constant."""
    if isinstance(options, ConstantOptions) and not options.warmup_epochs:
        return None
    return LambdaLR(optimizer, lambda step: rate_factor(options, step, steps_per_epoch, epochs))


def rate_factor(options: ScheduleOptions, step: int, steps_per_epoch: int, epochs: int) -> float:
    """By what the learning rate is multiplied at a step, counted from 0 over the whole training.

    1. During the warm-up it climbs evenly; its first step already moves.
    2. After it: constant; or a fall by ``gamma`` every few epochs; or a half cosine over the steps
       that are left (Loshchilov and Hutter, "SGDR", 2016).
    3. One-cycle (Smith, "Super-Convergence", 2017) is a triangle: up, then down to almost 0.
    """
    total = steps_per_epoch * epochs
    if isinstance(options, OneCycleOptions):
        peak = options.rise * total
        if step < peak:
            return (step + 1) / (math.floor(peak) + 1)
        return max(total - step, 0) / (total - peak)
    warmup = round(options.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return (step + 1) / warmup
    match options:
        case ConstantOptions():
            return 1.0
        case StepOptions():
            return float(options.gamma ** (step // steps_per_epoch // options.every))
        case CosineOptions():
            progress = min((step - warmup) / max(total - warmup, 1), 1.0)
            return options.floor + (1 - options.floor) * (1 + math.cos(math.pi * progress)) / 2
