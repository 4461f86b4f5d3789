"""How the learning rate changes over the training."""

from __future__ import annotations

import math

import torch
from torch.optim.lr_scheduler import LambdaLR

from honshi.recipe import ConstantOptions, CosineOptions, OneCycleOptions, ScheduleOptions, StepOptions


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
