"""Can it learn at all: one batch by heart, then a hundred images with the optimizer that was chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from honshi.checks.finding import Finding
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject, peak_lr, set_lr, without_dropout
from honshi.data.batches import class_numbers

BATCH = 64
SUBSET = 100
STEPS = 300
# Adam's own default learning rate is slow for so few steps.
LR = 3e-3
LEARNT = 0.98


def check_one_batch(subject: Subject, sample: Sample) -> Finding:
    """A model that cannot learn one batch by heart will learn nothing (Karpathy, "A recipe for training", 2019).

    Adam takes the steps and dropout is off, so that only the model itself can fail; on a copy.
    """
    work = subject.copy()
    inputs, labels = sample.first(BATCH)
    optimizer = torch.optim.Adam((p for p in work.model.parameters() if p.requires_grad), lr=LR)
    course = _course(Subject(without_dropout(work.model), work.criterion, optimizer), _again(inputs, labels))
    n = len(inputs)
    if not math.isfinite(course.loss):
        return Finding(
            "one batch", "fail", f"Learning one batch, the loss became {course.loss}: are values not finite?"
        )
    if course.learnt:
        return Finding("one batch", "pass", f"One batch of {n} is learnt by heart in {course.steps} steps of Adam.")
    return Finding(
        "one batch",
        "fail",
        f"One batch of {n} is not learnt by heart in {STEPS} steps of Adam, {course.accuracy:.0%} are right: something "
        "between inputs and loss is cut, squashed or far too small. Do the labels belong to these images?",
    )


def check_subset(subject: Subject, sample: Sample, batch_size: int) -> Finding:
    """The lecture's advice for debugging: a small subset must be learnt. With the chosen optimizer, on a copy."""
    work = subject.copy()
    without_dropout(work.model)
    size = min(SUBSET, len(sample))
    lr = peak_lr(work.optimizer)
    set_lr(work.optimizer, lr)
    course = _course(work, sample.batches(min(batch_size, max(2, size // 4)), STEPS, examples=size))
    shown = f"loss {course.first:.2f} to {course.loss:.2f}"
    if not math.isfinite(course.loss) or course.loss > 3 * course.first:
        return Finding(
            "subset of 100",
            "fail",
            f"With its optimizer (lr {lr:g}) training on {size} images diverges, {shown}: a smaller learning rate.",
        )
    if course.learnt:
        return Finding("subset of 100", "pass", f"{size} images are learnt in {course.steps} steps with lr {lr:g}.")
    return Finding(
        "subset of 100",
        "warn",
        f"{size} images are not learnt in {STEPS} steps with lr {lr:g}, {course.accuracy:.0%} are right, {shown}: "
        "is the learning rate too small, or too large? The range test below says where the loss falls.",
    )


class _Course:
    """How a short training went: the first and last loss, the accuracy and steps at the end."""

    def __init__(self) -> None:
        self.first = self.loss = math.nan
        self.accuracy = 0.0
        self.steps = 0
        self.learnt = False


def _course(subject: Subject, batches: Iterator[tuple[Tensor, Tensor]]) -> _Course:
    """Train until the last few batches were answered right, or the batches end."""
    course = _Course()
    subject.model.train()
    recent: list[float] = []
    for inputs, labels in batches:
        logits = subject.model(inputs.clone())
        loss = subject.criterion(logits, labels)
        course.loss = loss.item()
        course.steps += 1
        if course.steps == 1:
            course.first = course.loss
        if not math.isfinite(course.loss):
            break
        recent = [*recent[-3:], float((logits.argmax(1) == class_numbers(labels)).float().mean())]
        course.accuracy = sum(recent) / len(recent)
        if len(recent) == 4 and course.accuracy >= LEARNT:
            course.learnt = True
            break
        subject.optimizer.zero_grad()
        loss.backward()
        subject.optimizer.step()
    return course


def _again(inputs: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(STEPS):
        yield inputs, labels
