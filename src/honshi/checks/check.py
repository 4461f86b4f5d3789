"""The checks before a long training, in order: the data, the model, how it learns, the user's own functions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from honshi.checks.batch_sizes import BatchSize, check_batch_sizes, measure_batch_sizes
from honshi.checks.data import check_data
from honshi.checks.devices import check_device
from honshi.checks.finding import Finding
from honshi.checks.functions import check_evaluate_function, check_train_function
from honshi.checks.learning import check_one_batch, check_subset
from honshi.checks.lr_range import check_lr_range, measure_lr_range
from honshi.checks.modes import check_modes
from honshi.checks.outputs import check_criterion, check_outputs
from honshi.checks.parameters import check_parameters
from honshi.checks.report import Report
from honshi.checks.sample import Sample, draw
from honshi.checks.shapes import Shapes, check_shapes
from honshi.checks.subject import Subject
from honshi.data import Splits
from honshi.data.batches import Data
from honshi.errors import DataError
from honshi.evaluation.evaluate import Criterion
from honshi.losses import CrossEntropy
from honshi.runtime import device_of, seeded

# What comes after the shapes, for the one line that says why it was left out.
LATER = "loss, parameters, outputs, modes and learning"


def check(
    model: nn.Module,
    splits: Splits | Data,
    *,
    criterion: Criterion | None = None,
    optimizer: Optimizer | None = None,
    train: Callable[..., Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    batch_size: int = 64,
    seed: int = 0,
) -> Report:
    """Look for the mistakes that cost an evening, in seconds: data, shapes, gradients, modes, loss, learning.

    Everything is tried on copies: weights, gradients, modes, the optimizer's state and the random state of
    torch, NumPy and Python are afterwards what they were.

    Args:
        model: any module from inputs (b, …) to logits (b, k), on the device where it will be trained.
        splits: `Splits`, of which the training part is looked at; or training data as `honshi.fit` takes them.
        criterion: logits (b, k) and labels (b,) to their mean loss; cross-entropy where left out.
        optimizer: the one that will train the model; Adam with its defaults where left out.
        train, evaluate: functions of your own, ``train(model, loader, criterion, optimizer, device)`` and
            ``evaluate(model, loader, criterion, device)``; they are called with a few batches on copies.
        batch_size: images in a mini-batch of the training.
        seed: of the examples that are looked at.

    Raises:
        SealedError: splits is the sealed test set.
        TypeError: the data are of another kind.
        ModelError: the model cannot be copied.
        RequestError: train or evaluate asks for arguments that are none of these.
    """
    with _random_state_kept(), seeded(seed, device_of(model)):
        return _check(model, splits, criterion, optimizer, train, evaluate, batch_size)


def _check(
    model: nn.Module,
    splits: Splits | Data,
    criterion: Criterion | None,
    optimizer: Optimizer | None,
    train: Callable[..., Any] | None,
    evaluate: Callable[..., Any] | None,
    batch_size: int,
) -> Report:
    try:
        sample = draw(splits.train if isinstance(splits, Splits) else splits)
    except DataError as error:
        reason = "The data have to be right first."
        return Report((Finding("data", "fail", str(error)), Finding(f"shapes, {LATER}", "skip", reason)))
    findings = check_data(sample)
    # On the CPU, where a label out of range is an error in words and not a device that must be started anew.
    shapes = _shapes_of(model, optimizer, criterion, sample, batch_size)
    findings += shapes.findings
    if _failed(findings, "labels", "images"):
        return _stopped(findings, shapes, LATER, "The data have to be right first.")
    if not shapes.fit:
        return _stopped(findings, shapes, LATER, "The shapes have to fit first.")
    subject = Subject(model, criterion or CrossEntropy(), optimizer or _default_optimizer(model))
    sample = sample.to(subject.device)
    findings.append(check_criterion(subject, sample))
    if findings[-1].level == "fail":
        return _stopped(findings, shapes, "parameters, modes and learning", "The loss has to be right first.")
    findings += check_parameters(subject, sample)
    if _failed(findings, "registration", "gradients"):
        return _stopped(findings, shapes, "outputs, modes and learning", "Every parameter has to learn first.")
    findings += check_outputs(subject, sample)
    findings.append(check_modes(subject, sample))
    findings.append(check_one_batch(subject, sample))
    if _failed(findings, "optimizer"):
        later = "subset of 100, learning rate and batch size"
        return _stopped(findings, shapes, later, "The optimizer has to hold the parameters first.")
    subset = check_subset(subject, sample, batch_size)
    lr_range = measure_lr_range(subject, sample, batch_size)
    findings += [subset, check_lr_range(lr_range, learnt=subset.level == "pass")]
    batch_sizes: tuple[BatchSize, ...] = ()
    if _failed(findings, "subset of 100"):
        findings.append(Finding("batch size", "skip", "The training must not diverge first."))
    else:
        batch_sizes = measure_batch_sizes(subject, sample, batch_size)
        findings.append(check_batch_sizes(batch_sizes, batch_size))
    if subject.device.type != "cpu":
        findings.append(check_device(subject, sample))
    if train is not None:
        findings += check_train_function(train, subject, sample)
    if evaluate is not None:
        findings += check_evaluate_function(evaluate, subject, sample)
    return Report(tuple(findings), tuple(shapes.layers), lr_range, batch_sizes)


def _failed(findings: list[Finding], *checks: str) -> bool:
    return any(finding.level == "fail" and finding.check in checks for finding in findings)


def _stopped(findings: list[Finding], shapes: Shapes, later: str, reason: str) -> Report:
    """What was found so far, and one line for what was left out because of it."""
    return Report((*findings, Finding(later, "skip", reason)), tuple(shapes.layers))


def _shapes_of(
    model: nn.Module, optimizer: Optimizer | None, criterion: Criterion | None, sample: Sample, batch_size: int
) -> Shapes:
    placeholder = optimizer or torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    work = Subject(model, criterion or CrossEntropy(), placeholder).copy()
    return check_shapes(work.model.cpu(), sample, batch_size)


def _default_optimizer(model: nn.Module) -> Optimizer:
    parameters: list[Any] = list(model.parameters())
    # A model without parameters is told so by the checks, and not by the optimizer.
    return torch.optim.Adam(parameters or [torch.zeros(1, requires_grad=True)])


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """The random state of Python and NumPy, which the user's own data and functions may use."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
