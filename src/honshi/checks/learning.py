"""Can it learn at all: one batch by heart, then a hundred images with the optimizer that was chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from honshi.checks.finding import Finding, failed, passed, warned
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject, needs_closure, peak_lr, set_lr, without_dropout
from honshi.evaluation.answers import classes_of
from honshi.models.modes import train_mode

BATCH = 64
SUBSET = 100
STEPS = 300
# Adam's own default learning rate is slow for so few steps; and a model of few weights has to move each of them far.
LR, LARGER_LR = 3e-3, 3e-2
LEARNT = 0.98
# A model without room for a whole batch still learns most of it; one that is cut does not.
NEARLY = 0.9


def check_one_batch(subject: Subject, sample: Sample) -> Finding:
    """A model that cannot learn one batch by heart will learn nothing (Karpathy, "A recipe for training", 2019).

    Adam takes the steps and dropout is off, so that only the model itself can fail; on a copy.
    """
    work = subject.copy()
    inputs, labels = sample.first(BATCH)
    optimizer = torch.optim.Adam((p for p in work.model.parameters() if p.requires_grad), lr=LR)
    learner = Subject(without_dropout(work.model), work.criterion, optimizer)
    course = _course(learner, _again(inputs, labels))
    if not course.learnt and math.isfinite(course.loss):
        set_lr(optimizer, LARGER_LR)
        course = _course(learner, _again(inputs, labels), STEPS)
    n = len(inputs)
    if not math.isfinite(course.loss):
        return failed(
            "one batch", "Learning one batch, the loss became {loss}: are values not finite?", loss=_named(course.loss)
        )
    if course.learnt:
        return passed(
            "one batch", "One batch of {n} is learnt by heart in {steps} steps of Adam.", n=n, steps=course.steps
        )
    if course.accuracy >= NEARLY:
        return warned(
            "one batch",
            "One batch of {n} is nearly learnt by heart in {steps} steps of Adam, {accuracy:.0%} are right: so small a "
            "model may have no room for more.",
            n=n,
            steps=course.steps,
            accuracy=course.accuracy,
        )
    return failed(
        "one batch",
        "One batch of {n} is not learnt by heart in {steps} steps of Adam, {accuracy:.0%} are right: something between "
        "inputs and loss is cut, squashed or far too small. Do the labels belong to these images?",
        n=n,
        steps=course.steps,
        accuracy=course.accuracy,
    )


def check_subset(subject: Subject, sample: Sample, batch_size: int) -> Finding:
    """The lecture's advice for debugging: a small subset must be learnt. With the chosen optimizer, on a copy."""
    work = subject.copy()
    without_dropout(work.model)
    size = min(SUBSET, len(sample))
    lr = peak_lr(work.optimizer)
    set_lr(work.optimizer, lr)
    # What asks for the loss again and again within a step means that of all images.
    batch = size if needs_closure(work.optimizer) else min(batch_size, max(2, size // 4))
    course = _course(work, sample.batches(batch, STEPS, examples=size))
    if not math.isfinite(course.loss) or course.loss > 3 * course.first:
        return failed(
            "subset of 100",
            "With its optimizer (lr {lr:g}) training on {size} images diverges, loss {first:.2f} to {last:.2f}: a "
            "smaller learning rate.",
            lr=lr,
            size=size,
            first=course.first,
            last=course.loss,
        )
    if course.learnt:
        return passed(
            "subset of 100",
            "{size} images are learnt in {steps} steps with lr {lr:g}.",
            size=size,
            steps=course.steps,
            lr=lr,
        )
    return warned(
        "subset of 100",
        "{size} images are not learnt in {steps} steps with lr {lr:g}, {accuracy:.0%} are right, loss {first:.2f} to "
        "{last:.2f}: is the learning rate too small, or too large? The range test below says where the loss falls.",
        size=size,
        steps=STEPS,
        lr=lr,
        accuracy=course.accuracy,
        first=course.first,
        last=course.loss,
    )


class _Course:
    """How a short training went: the first and last loss, the accuracy and steps at the end."""

    def __init__(self) -> None:
        self.first = self.loss = math.nan
        self.accuracy = 0.0
        self.steps = 0
        self.learnt = False


def _course(subject: Subject, batches: Iterator[tuple[Tensor, Tensor]], steps: int = 0) -> _Course:
    """Train until the last few batches were answered right, or the batches end.

    Args:
        steps: taken before.
    """
    course = _Course()
    course.steps = steps
    train_mode(subject.model)
    recent: list[float] = []
    for inputs, labels in batches:
        logits, course.loss = subject.step(inputs, labels)
        course.steps += 1
        if course.steps == steps + 1:
            course.first = course.loss
        if not math.isfinite(course.loss):
            break
        answers, right = classes_of(logits, labels)
        recent = [*recent[-3:], (answers == right).float().mean().item()]
        course.accuracy = sum(recent) / len(recent)
        if len(recent) == 4 and course.accuracy >= LEARNT:
            course.learnt = True
            break
    return course


def _named(loss: float) -> str:
    """A loss that is not finite, as people write it: ``NaN``, ``inf``."""
    return "NaN" if math.isnan(loss) else f"{loss}"


def _again(inputs: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(STEPS):
        yield inputs, labels
