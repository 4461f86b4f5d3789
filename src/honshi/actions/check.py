"""The checks before a long training: of what a recipe asks for, or of parts of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from honshi import checks, losses, optimizers
from honshi.checks.apply import apply_lr, recipe_file
from honshi.checks.before_training import check_exam, check_validation
from honshi.checks.program import load_object, make, talking_to_stderr
from honshi.checks.report import Report
from honshi.data import Splits
from honshi.errors import RequestError
from honshi.experiment import Experiment, load_splits
from honshi.features import see
from honshi.features.stage import frozen_in
from honshi.messages import Message
from honshi.recipe import PathOptions, Recipe
from honshi.runtime import pick_device, seeded


@dataclass(frozen=True)
class CheckOutcome:
    """What the checks found, and what was written because of it.

    Attributes:
        title: what was checked, on which data and device.
        report: all findings.
        picture: of the learning-rate range test; None where there was none.
        applied: whether the suggested learning rate was written to a recipe; None where nobody asked for it.
        sentences: about picture and recipe.
    """

    title: Message
    report: Report
    picture: Path | None
    applied: bool | None
    sentences: list[Message]


def check(
    recipe: Recipe,
    *,
    model_at: str | None = None,
    dataset_at: str | None = None,
    train_at: str | None = None,
    evaluate_at: str | None = None,
    picture: Path = Path("lr-range.png"),
    apply_to: str | None = None,
) -> CheckOutcome:
    """Build what a recipe asks for, with the user's own parts in place of its own, and check it.

    Args:
        recipe: says all that is not given as a part of one's own.
        model_at: ``file.py:NAME`` of a model, or of what makes one.
        dataset_at: ``file.py:NAME`` of training data; it needs a model as well.
        train_at: ``file.py:NAME`` of a function as `honshi.checks.check` takes it.
        evaluate_at: likewise.
        picture: where the learning-rate range test is drawn.
        apply_to: the name or file of the recipe to which the suggested learning rate is written.

    Raises:
        RequestError: there is no such file, name, data set or device, or parts that do not go together.
        HonshiError: the user's file cannot be imported, or what it names not be made.
    """
    written = recipe_file(apply_to) if apply_to is not None else None
    train, evaluate = (_function(at) for at in (train_at, evaluate_at))
    if model_at is None and dataset_at is not None:
        raise RequestError("--dataset needs --model as well: a recipe builds its model for data of its own.")
    parts = _of_recipe(recipe) if model_at is None else _of_ones_own(recipe, model_at, dataset_at)
    with talking_to_stderr():
        report = checks.check(
            parts.model,
            parts.data,
            criterion=parts.criterion,
            optimizer=parts.optimizer,
            train=train,
            evaluate=evaluate,
            batch_size=recipe.training.batch_size,
            seed=recipe.training.seed,
        )
    title = Message(
        "{model} on {data}, device {device}",
        model=model_at or Message("recipe {name}", name=recipe.name),
        data=dataset_at or recipe.data.source,
        device=parts.device,
    )
    sentences = _said_of(parts.data)
    if report.lr_range is not None:
        report.lr_range.plot(picture)
        sentences.append(Message("Learning-rate range test: {picture}", picture=picture))
    suggestion = report.lr_range.suggestion if report.lr_range is not None else None
    if isinstance(recipe.optimizer, PathOptions):
        suggestion = None  # what was tried is not the recipe's optimizer
    if written is not None and suggestion is not None:
        apply_lr(written, recipe, suggestion)
        sentences.append(Message("{recipe} has the learning rate {lr:g} now.", recipe=written, lr=suggestion))
    elif written is not None:
        sentences.append(Message("There is no suggestion, so nothing was written to the recipe."))
    return CheckOutcome(
        title=title,
        report=report,
        picture=picture if report.lr_range is not None else None,
        applied=suggestion is not None if written is not None else None,
        sentences=sentences,
    )


def _said_of(data: Any) -> list[Message]:
    """What there is to say of pictures of one's own: what they were taken for, their parts, and what to think about."""
    if not isinstance(data, Splits):
        return []
    told = [Message("{about}: {text}", about=one.about, text=text) for one in data.told for text in one.texts]
    exam = [] if data.exam_size is None else [check_exam(data.exam_size), check_validation(len(data.val))]
    return [*told, *data.notes, *(finding.message for finding in exam if finding.level != "pass")]


@dataclass(frozen=True, eq=False)
class _Parts:
    """What is checked; the optimizer is None where the model has no parameters, of which the checks tell, or where the
    recipe's takes no steps."""

    model: nn.Module
    data: Any
    criterion: nn.Module
    optimizer: Optimizer | None
    device: torch.device


def _function(at: str | None) -> Callable[..., Any] | None:
    """The function of the user's own at ``file.py:NAME``."""
    if at is None:
        return None
    function: Callable[..., Any] | object = load_object(at)
    if not callable(function):
        raise RequestError("{at} is a {kind} and not a function.", at=at, kind=type(function).__name__)
    return function


def _of_recipe(recipe: Recipe) -> _Parts:
    built = Experiment.build(recipe)
    frozen = frozen_in(built.model)
    if frozen is None:
        return _Parts(built.model, built.splits, built.criterion, built.optimizer, built.device)
    # What learns is the head, on what the backbone sees; by steps, where the training finds its best weights at once.
    train = see(frozen, built.splits.train)
    frozen.head.measure(train.values.to(built.device))
    seen = replace(built.splits, train=train, val=see(frozen, built.splits.val))
    optimizer = None if isinstance(built.optimizer, optimizers.Path) else built.optimizer
    return _Parts(frozen.head, seen, built.criterion, optimizer, built.device)


def _of_ones_own(recipe: Recipe, model_at: str, dataset_at: str | None) -> _Parts:
    """The user's own model, with data, loss and optimizer as the recipe has them."""
    device = pick_device(recipe.training.device)
    with seeded(recipe.training.seed):
        model = make(load_object(model_at), model_at)
    if not isinstance(model, nn.Module):
        raise RequestError(
            "{at} is a {kind} and not an nn.Module, or something that makes one.",
            at=model_at,
            kind=type(model).__name__,
        )
    model = model.to(device)
    if dataset_at is None:
        data: Any = load_splits(recipe)
        criterion = losses.build(recipe.loss, data.train.class_counts()).to(device)
    else:
        data = make(load_object(dataset_at), dataset_at)
        criterion = losses.CrossEntropy(label_smoothing=recipe.loss.label_smoothing)
    learns = any(True for _ in model.parameters())
    return _Parts(model, data, criterion, optimizers.build(recipe.optimizer, model) if learns else None, device)
