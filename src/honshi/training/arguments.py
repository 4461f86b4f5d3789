"""Arguments that `fit` cannot train with, refused before anything begins."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable
from functools import partial
from numbers import Real
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ChainedScheduler, LRScheduler, SequentialLR

from honshi.arguments import check_count, check_range
from honshi.data.augment import Augmentation
from honshi.errors import ArgumentError, ModelError
from honshi.evaluation.answers import Criterion
from honshi.training.averaging import Averaging
from honshi.training.distributed import World
from honshi.training.early_stopping import EarlyStopping


def stopping_of(patience: int | EarlyStopping | None) -> EarlyStopping:
    """An early stopping that has not seen anything yet.

    Raises:
        ArgumentError: it is for no epochs at all, or by less than nothing.
    """
    rule = patience if isinstance(patience, EarlyStopping) else EarlyStopping(patience=patience)
    if rule.patience is not None:
        check_count("patience", rule.patience)
    check_range("min_delta", rule.min_delta)
    return EarlyStopping(patience=rule.patience, min_delta=rule.min_delta)


def path_of(checkpoint: object) -> Path | None:
    """Where the state of a training is kept; None where it is not.

    Raises:
        ArgumentError: it is no name of a file.
    """
    if checkpoint is None:
        return None
    name = fspath(checkpoint) if isinstance(checkpoint, (str, PathLike)) else None
    if not isinstance(name, str) or not name or "\0" in name:
        raise ArgumentError("checkpoint is the path of a file, not {value!r}.", value=checkpoint)
    return Path(name)


def check_kinds(*, augment: object, averaging: object, world: object) -> None:
    """Raises: ArgumentError, where one of them is of another kind."""
    wanted = {"augment": (augment, Augmentation), "averaging": (averaging, Averaging), "world": (world, World)}
    for name, (value, kind) in wanted.items():
        if not isinstance(value, kind) and (value is not None or name == "world"):
            raise ArgumentError("{name} is a honshi {kind}, not {value!r}.", name=name, kind=kind.__name__, value=value)


def check_callable(**functions: object) -> None:
    """Raises: ArgumentError, where one of them is there and cannot be called."""
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise ArgumentError("{name} is a function, not {value!r}.", name=name, value=function)


def check_options(clip_grad_norm: Any, precision: object) -> None:
    """Raises: ArgumentError, where one of them means nothing."""
    number = isinstance(clip_grad_norm, Real) and not isinstance(clip_grad_norm, bool)
    if clip_grad_norm is not None and not (number and 0 < float(clip_grad_norm) < math.inf):
        raise ArgumentError(
            "clip_grad_norm is a number above 0, or None for no clipping, not {value!r}.", value=clip_grad_norm
        )
    if precision not in ("float32", "bfloat16"):
        raise ArgumentError('precision is "float32" or "bfloat16", not {value!r}.', value=precision)


def check_parts(model: nn.Module, criterion: Criterion, optimizer: Optimizer, schedule: LRScheduler | None) -> None:
    """That the parts are what they should be, and belong together.

    Raises:
        ArgumentError: one of them is of another kind, or a schedule of another optimizer.
        ModelError: the optimizer would not train this model; or the loss is not a mean.
    """
    for name, part in (("model", model), ("criterion", criterion), ("optimizer", optimizer)):
        if isinstance(part, type):
            raise ArgumentError(
                "{name} is the class {kind} itself and not an object of it: write {kind}(…).",
                name=name,
                kind=part.__name__,
            )
    for name, part, kind in (("model", model, nn.Module), ("optimizer", optimizer, Optimizer)):
        if not isinstance(part, kind):
            raise ArgumentError(
                "{name} is a torch {kind}, not a {found}.", name=name, kind=kind.__name__, found=type(part).__name__
            )
    if not callable(criterion):
        raise ArgumentError(
            "criterion is a function of logits and labels, not a {found}.", found=type(criterion).__name__
        )
    _check_reduction(criterion)
    _check_optimizer(model, criterion, optimizer)
    if schedule is not None:
        if not isinstance(schedule, LRScheduler):
            raise ArgumentError(
                "schedule is one of torch.optim.lr_scheduler, not a {found}.", found=type(schedule).__name__
            )
        if schedule.optimizer is not optimizer:
            raise ArgumentError(
                "schedule moves the learning rate of another optimizer than the one that is given: "
                "make it after the optimizer, {kind}(optimizer, …).",
                kind=type(schedule).__name__,
            )


def check_schedule_lasts(schedule: LRScheduler | None, steps: int) -> None:
    """Raises: ArgumentError, where a schedule, or one that it is made of, ends before the training's last step."""
    for part, its_steps in _parts(schedule, steps):
        check_schedule_lasts(part, its_steps)
    total = getattr(schedule, "total_steps", None)
    if isinstance(total, int) and schedule is not None:
        total -= max(0, schedule.last_epoch)
    if isinstance(total, int) and total < steps:
        raise ArgumentError(
            "{kind} is made for {total:,} steps, and this training takes {steps:,}: it is stepped after every "
            "mini-batch. Make it with total_steps={steps}.",
            kind=type(schedule).__name__,
            total=total,
            steps=steps,
        )


def _parts(schedule: LRScheduler | None, steps: int) -> list[tuple[LRScheduler, int]]:
    """The schedules that one is made of, and how many of the training's steps each has to last."""
    if isinstance(schedule, ChainedScheduler):
        return [(part, steps) for part in schedule._schedulers]
    if isinstance(schedule, SequentialLR):
        begins = [0, *schedule._milestones]
        ends = [min(steps, milestone) for milestone in schedule._milestones] + [steps]
        return [(part, end - begin) for part, begin, end in zip(schedule._schedulers, begins, ends, strict=True)]
    return []


def _check_reduction(criterion: object) -> None:
    options = (
        criterion.keywords
        if isinstance(criterion, partial)
        else vars(criterion)
        if isinstance(criterion, nn.Module)
        else {}
    )
    reduction = options.get("reduction", "mean")
    if reduction in ("sum", "none"):
        raise ModelError(
            '{kind} has reduction="{reduction}", and fit needs the mean over the images of a mini-batch: leave it '
            'out, or write reduction="mean".',
            kind=type(criterion).__name__,
            reduction=reduction,
        )


def _check_optimizer(model: nn.Module, criterion: object, optimizer: Optimizer) -> None:
    step = inspect.signature(optimizer.step).parameters.get("closure")
    if step is not None and step.default is inspect.Parameter.empty:
        raise ArgumentError(
            "{kind} asks for the loss several times in each step, and fit computes it once for each mini-batch: "
            "choose another optimizer, such as torch.optim.Adam.",
            kind=type(optimizer).__name__,
        )
    trained = _ids(parameter for parameter in model.parameters() if parameter.requires_grad)
    if not trained:
        raise ModelError(
            "The model has no parameters to train: either it has none at all, or requires_grad is False for each."
        )
    held = _ids(parameter for group in optimizer.param_groups for parameter in group["params"])
    if not trained & held:
        raise ModelError(
            "The optimizer holds none of this model's parameters, so nothing would be trained: "
            "make it from them, {kind}(model.parameters(), …).",
            kind=type(optimizer).__name__,
        )
    known = _ids(model.parameters()) | (_ids(criterion.parameters()) if isinstance(criterion, nn.Module) else set())
    if held - known:
        raise ModelError(
            "The optimizer holds {count} tensors that are not the model's: a layer that was exchanged after the "
            "optimizer was made would not be trained. Make the optimizer last, {kind}(model.parameters(), …).",
            count=len(held - known),
            kind=type(optimizer).__name__,
        )


def _ids(tensors: Iterable[Tensor]) -> set[int]:
    return {id(tensor) for tensor in tensors}
