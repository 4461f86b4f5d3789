"""The checks before a long training, in order: the data, the model, how it learns, the user's own functions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from honshi.checks.alike import check_alike
from honshi.checks.arguments import ROLES, arguments_for
from honshi.checks.batch_sizes import check_batch_sizes, measure_batch_sizes
from honshi.checks.data import check_data
from honshi.checks.devices import check_device
from honshi.checks.draw import draw, known_kind
from honshi.checks.finding import skipped
from honshi.checks.functions import EVALUATE, TRAIN, check_evaluate_function, check_train_function
from honshi.checks.inspection import Inspection
from honshi.checks.keeping import kept
from honshi.checks.learning import check_one_batch, check_subset
from honshi.checks.lr_range import check_lr_range, measure_lr_range
from honshi.checks.modes import check_modes
from honshi.checks.outputs import check_criterion, check_outputs, takes_labels
from honshi.checks.parameters import check_parameters
from honshi.checks.parts import check_parts
from honshi.checks.report import Report
from honshi.checks.sample import Sample
from honshi.checks.shapes import check_shapes
from honshi.checks.subject import Subject
from honshi.checks.trace import PROBE
from honshi.data import Examples, Splits
from honshi.data.batches import Data
from honshi.evaluation.answers import Criterion
from honshi.losses import CrossEntropy
from honshi.models.modes import evaluating
from honshi.runtime import device_of, seeded, threads
from honshi.training.rehearsal import is_lazy

# What comes after the shapes, for the one line that says why it was left out.
LATER = ("loss", "parameters", "outputs", "modes", "learning")


def check(
    model: nn.Module,
    splits: Splits[Examples] | Data,
    *,
    criterion: Criterion | None = None,
    optimizer: Optimizer | None = None,
    train: Callable[..., Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    batch_size: int = 64,
    seed: int = 0,
) -> Report:
    """Look for the mistakes that cost an evening, in seconds: data, shapes, gradients, modes, loss, learning.

    Everything is tried on copies: weights, gradients, modes, attributes, the optimizer's state and the random state of
    torch, NumPy and Python are afterwards what they were. An error in the user's own code is a finding.

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
        WrongKindError: the data are of another kind.
        RequestError: train or evaluate asks for arguments that are none of these.
    """
    data = known_kind(splits.train if isinstance(splits, Splits) else splits)
    functions = OwnFunctions(train, evaluate)
    inspection = Inspection(functions.names)
    inspection.findings += check_parts(model, criterion, optimizer)
    if inspection.findings:
        inspection.stop(("data", "shapes", *LATER), "Model, loss and optimizer have to be there first.")
        return inspection.report()
    if isinstance(splits, Splits):
        inspection.look("alike", lambda: check_alike(splits))
    with kept(model, criterion, optimizer), seeded(seed, device_of(model)), torch.enable_grad(), threads.giving_way():
        subject = Subject(model, criterion or CrossEntropy(), optimizer or _default_optimizer(model))
        _inspect(inspection, subject, data, batch_size, functions)
    return inspection.report()


def _inspect(inspection: Inspection, subject: Subject, data: Data, batch_size: int, functions: OwnFunctions) -> None:
    """All checks of a model, its loss and its optimizer, as far as they get."""
    look = inspection.look
    sample = look("data", lambda: draw(data))
    if sample is None:
        return inspection.stop(("shapes", *LATER), "The data have to be right first.")
    made = look("model", lambda: _with_sizes(subject, sample))
    look("data", lambda: check_data(sample, taken=made is not None and takes_labels(made, sample)))
    if made is None:
        return inspection.stop(("shapes", *LATER), "The checks work on copies of the model.")
    # On the CPU, where a label out of range is an error in words and not a device that must be started anew.
    shapes = look("shapes", lambda: check_shapes(made.copy().model.cpu(), sample, batch_size))
    if shapes is not None:
        inspection.findings += shapes.findings
        inspection.layers = shapes.layers
    if inspection.failed("data", "labels", "images"):
        return inspection.stop(LATER, "The data have to be right first.")
    if shapes is None or not shapes.fit:
        return inspection.stop(LATER, "The shapes have to fit first.")
    return _inspect_learning(inspection, made, sample.to(made.device), batch_size, functions)


def _inspect_learning(
    inspection: Inspection, subject: Subject, sample: Sample, batch_size: int, functions: OwnFunctions
) -> None:
    """The checks of what fits together in its shapes; the sample is on the model's device."""
    look = inspection.look
    look("loss", lambda: check_criterion(subject, sample))
    if inspection.failed("loss"):
        return inspection.stop(("parameters", "modes", "learning"), "The loss has to be right first.")
    look("gradients", lambda: check_parameters(subject, sample))
    if inspection.failed("registration", "gradients"):
        return inspection.stop(("outputs", "modes", "learning"), "Every parameter has to learn first.")
    look("last layer", lambda: check_outputs(subject, sample))
    look("modes", lambda: check_modes(subject, sample))
    learnt = look("one batch", lambda: check_one_batch(subject, sample))
    if inspection.failed("optimizer"):
        reason = "The optimizer has to hold the parameters first."
        return inspection.stop(("subset of 100", "learning rate", "batch size"), reason)
    subset = look("subset of 100", lambda: check_subset(subject, sample, batch_size)) if learnt is not None else None
    if subset is None:
        return inspection.stop(("learning rate", "batch size"), "Every step of the training has to work first.")
    inspection.lr_range = look("learning rate", lambda: measure_lr_range(subject, sample, batch_size))
    if inspection.lr_range is not None:
        inspection.findings.append(check_lr_range(inspection.lr_range, learnt=subset.level == "pass"))
    if subset.level == "fail":
        inspection.findings.append(skipped("batch size", "The training must not diverge first."))
    else:
        measured = look("batch size", lambda: measure_batch_sizes(subject, sample, batch_size))
        if measured is not None:
            inspection.batch_sizes = measured
            inspection.findings.append(check_batch_sizes(measured, batch_size))
    if subject.device.type != "cpu":
        look("device", lambda: check_device(subject, sample))
    return functions.look(inspection, subject, sample)


class OwnFunctions:
    """The user's own train() and evaluate(), where there are some.

    Attributes:
        names: of their checks.
    """

    def __init__(self, train: Callable[..., Any] | None, evaluate: Callable[..., Any] | None) -> None:
        """
        Raises:
            RequestError: one of them asks for arguments that are none of the lecture's.
        """
        self.train, self.evaluate = train, evaluate
        self.names = [name for name, function in ((TRAIN, train), (EVALUATE, evaluate)) if function is not None]
        for function in (train, evaluate):
            if function is not None:
                arguments_for(function, dict.fromkeys(ROLES))

    def look(self, inspection: Inspection, subject: Subject, sample: Sample) -> None:
        train, evaluate = self.train, self.evaluate
        if train is not None:
            inspection.look(TRAIN, lambda: check_train_function(train, subject, sample))
        if evaluate is not None:
            inspection.look(EVALUATE, lambda: check_evaluate_function(evaluate, subject, sample))


def _with_sizes(subject: Subject, sample: Sample) -> Subject:
    """The subject itself, after it has been seen that it can be copied; of lazy layers a copy that knows its sizes.

    Raises:
        ModelError: it cannot be copied.
    """
    copied = subject.copy()
    if not is_lazy(subject.model):
        return subject
    inputs, _ = sample.first(PROBE)
    # Where the model refuses them, the check of the shapes says why.
    with evaluating(copied.model), suppress(Exception):
        copied.model(inputs.to(subject.device))
    return copied


def _default_optimizer(model: nn.Module) -> Optimizer:
    parameters: list[Any] = list(model.parameters())
    # A model without parameters is told so by the checks, and not by the optimizer.
    return torch.optim.Adam(parameters or [torch.zeros(1, requires_grad=True)])
