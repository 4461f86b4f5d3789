"""Labels and images, before any model or device sees them."""

from __future__ import annotations

import torch
from torch import Tensor

from honshi.checks.finding import Finding, failed, passed, skipped, warned
from honshi.checks.sample import Sample
from honshi.messages import Message

# A class with so many times fewer images than the largest is hardly seen in training.
IMBALANCE = 10
# A network begins with activations of about 1, and so should its inputs.
LARGEST_MEAN, LARGEST_STD, SMALLEST_STD = 3.0, 4.0, 0.02


def check_data(sample: Sample, taken: bool = False) -> list[Finding]:
    """Label type and range, class balance, order, constant or non-finite images, range after normalisation.

    Args:
        sample: what is looked at.
        taken: whether model and loss take the labels as they are, whatever their shape and type.
    """
    labels = check_labels(sample, taken)
    findings = [labels]
    if labels.level == "fail":
        findings.append(skipped("class balance", "The labels have to be right first."))
    else:
        findings.append(check_balance(sample))
        findings.extend(check_order(sample))
    return [*findings, check_images(sample), check_range(sample)]


def check_labels(sample: Sample, taken: bool = False) -> Finding:
    """Labels are int64 (n,), from 0 to k - 1; or probabilities of classes, float (n, k); or what a loss takes."""
    labels = sample.all_labels
    kind, shape = str(labels.dtype).removeprefix("torch."), tuple(labels.shape)
    if taken and (labels.dim() != 1 or labels.dtype != torch.int64):
        return passed("labels", "The loss takes labels as they are, {kind} of shape {shape}.", kind=kind, shape=shape)
    if labels.dim() == 2 and labels.shape[1] == 1:
        return failed("labels", "Labels have the shape {shape} and should be (n,): use labels.squeeze(1).", shape=shape)
    if labels.dim() == 2:
        if labels.is_floating_point() and bool((labels.sum(1) - 1).abs().max() < 1e-3):
            return passed("labels", "Labels are probabilities of {k} classes, {kind}.", k=shape[1], kind=kind)
        return failed(
            "labels",
            "Labels have the shape {shape}, as one-hot codes have; cross-entropy wants the numbers of the classes: use "
            "labels.argmax(1).",
            shape=shape,
        )
    if labels.dim() != 1:
        return failed(
            "labels", "Labels have the shape {shape} and should be (n,), a number for each example.", shape=shape
        )
    if labels.is_floating_point():
        return failed(
            "labels", "Labels are {kind}; cross-entropy takes class numbers as int64: use labels.long().", kind=kind
        )
    if labels.dtype != torch.int64:
        return failed("labels", "Labels are {kind}; cross-entropy takes them as int64: use labels.long().", kind=kind)
    low, high = int(labels.min()), int(labels.max())
    if low < 0:
        return failed(
            "labels",
            "Labels go from {low} to {high}, and classes are numbered from 0: find where {low} comes from.",
            low=low,
            high=high,
        )
    if _begins_at_one(labels) and sample.classes is not None and high < sample.classes:
        return warned(
            "labels",
            "Labels go from 1 to {high}, as EMNIST's letters do, and classes are numbered from 0: the model has an "
            "answer for 0 that is never right. Write the file of the labels anew, each less by 1.",
            high=high,
        )
    if _begins_at_one(labels):
        return failed(
            "labels", "Labels go from 1 to {high}, and classes are numbered from 0: use labels - 1.", high=high
        )
    if sample.classes is not None and high >= sample.classes:
        return failed(
            "labels",
            "Labels go from {low} to {high}, and {classes} classes end at {last}.",
            low=low,
            high=high,
            classes=sample.classes,
            last=sample.classes - 1,
        )
    return passed("labels", "{n:,} labels looked at are int64 from {low} to {high}.", n=len(labels), low=low, high=high)


def check_balance(sample: Sample) -> Finding:
    """How many images each class has."""
    numbers = _class_numbers(sample.all_labels)
    counts = torch.bincount(numbers, minlength=sample.classes or 0)
    first = int(_begins_at_one(numbers))
    most, least = int(counts.argmax()), first + int(counts[first:].argmin())
    empty = [str(label) for label in range(first, len(counts)) if counts[label] == 0]
    if int((counts > 0).sum()) == 1:
        return failed("class balance", "All images are of one class: there is nothing to tell apart.")
    if empty:
        return warned(
            "class balance",
            "No image seen of class {classes}: a model cannot learn what it is never shown; are all folders and files "
            "there?",
            classes=", ".join(empty[:10]),
        )
    ratio = int(counts[most]) / int(counts[least])
    share = int(counts[most]) / int(counts.sum())
    shown = Message(
        "Class {least} has {few:,} images and class {most} {many:,}",
        least=least,
        few=int(counts[least]),
        most=most,
        many=int(counts[most]),
    )
    if ratio > IMBALANCE:
        return warned(
            "class balance",
            "{counts}, {ratio:.0f} times as many: always answering {most} scores {share:.1%}, so look at each class, "
            "and try --set loss.class_weights=balanced.",
            counts=shown,
            ratio=ratio,
            most=most,
            share=share,
        )
    return passed(
        "class balance",
        "{counts}; always answering {most} would score {share:.1%}.",
        counts=shown,
        most=most,
        share=share,
    )


def _class_numbers(labels: Tensor) -> Tensor:
    """Labels as class numbers, int64 (n,): of probabilities the most probable class."""
    numbers = labels.argmax(1) if labels.dim() == 2 and labels.shape[1] > 1 else labels.flatten()
    return numbers.round().long() if numbers.is_floating_point() else numbers.long()


def _begins_at_one(numbers: Tensor) -> bool:
    """Whether classes are numbered from 1 and not from 0."""
    low, high = int(numbers.min()), int(numbers.max())
    return low == 1 and high == len(numbers.unique())


def check_order(sample: Sample) -> list[Finding]:
    """A loader that does not shuffle must not give one class after the other."""
    batches = [labels for labels in sample.loader_batches if labels.dim() == 1 and len(labels) > 7]
    if len(batches) < 2 or len(sample.all_labels.unique()) == 1:
        return []
    single = sum(len(labels.unique()) == 1 for labels in batches)
    if 2 * single < len(batches):
        return []
    return [
        failed(
            "order",
            "{single} of the first {batches} batches have a single class each: the loader goes through sorted data in "
            "their order; use DataLoader(…, shuffle=True).",
            single=single,
            batches=len(batches),
        )
    ]


def check_images(sample: Sample) -> Finding:
    """Non-finite values, and images without anything in them."""
    inputs, looked_at = sample.inputs, len(sample.all_labels)
    if inputs.is_floating_point():
        broken = ~inputs.flatten(1).isfinite().all(1)
        if bool(broken.any()):
            return failed(
                "images",
                "{broken:,} of {n:,} images have values that are not finite numbers (NaN or infinite), and one is "
                "enough to spoil all weights: look for a division by 0 where they are made.",
                broken=int(broken.sum()),
                n=len(inputs),
            )
    if sample.constant == looked_at:
        return failed("images", "All {n:,} images looked at are constant: every pixel has the same value.", n=looked_at)
    if sample.constant:
        return warned(
            "images",
            "{constant:,} of {n:,} images looked at are constant, every pixel the same: look at them, and leave them "
            "out where nothing is in them.",
            constant=sample.constant,
            n=looked_at,
        )
    return passed("images", "None of {n:,} images looked at is constant, all values are finite.", n=looked_at)


def check_range(sample: Sample) -> Finding:
    """Inputs as the model sees them are of the order of 1."""
    inputs: Tensor = sample.inputs
    low, high = float(inputs.min()), float(inputs.max())
    values = inputs.double()
    mean, std = float(values.mean()), float(values.std())
    shown = Message(
        "values go from {low:.3g} to {high:.3g}, mean {mean:.2f}, deviation {std:.2f}",
        low=low,
        high=high,
        mean=mean,
        std=std,
    )
    if not low > -float("inf") or not high < float("inf"):
        return skipped("normalisation", "The images have to be finite first.")
    if abs(mean) > LARGEST_MEAN or std > LARGEST_STD:
        cure = Message("subtract their mean and divide by their deviation")
        if low >= 0 and 1 < high <= 255:
            cure = Message("divide by 255 and normalise, as ToTensor and Normalize do")
        return warned("normalisation", "Inputs are not normalised: {shown}; {cure}.", shown=shown, cure=cure)
    if std < SMALLEST_STD:
        return warned(
            "normalisation",
            "Inputs hardly vary: {shown}; divided by 255 twice, or normalised by too large a deviation?",
            shown=shown,
        )
    return passed("normalisation", "As the model sees them, {shown}.", shown=shown)
