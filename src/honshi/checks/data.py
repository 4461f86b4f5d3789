"""Labels and images, before any model or device sees them."""

from __future__ import annotations

import torch
from torch import Tensor

from honshi.checks.finding import Finding
from honshi.checks.sample import Sample
from honshi.data.batches import class_numbers

# A class with so many times fewer images than the largest is hardly seen in training.
IMBALANCE = 10
# A network begins with activations of about 1, and so should its inputs.
LARGEST_MEAN, LARGEST_STD, SMALLEST_STD = 3.0, 4.0, 0.02


def check_data(sample: Sample) -> list[Finding]:
    """Label type and range, class balance, order, constant or non-finite images, range after normalisation."""
    labels = check_labels(sample)
    findings = [labels]
    if labels.level == "fail":
        findings.append(Finding("class balance", "skip", "The labels have to be right first."))
    else:
        findings.append(check_balance(sample))
        findings.extend(check_order(sample))
    return [*findings, check_images(sample), check_range(sample)]


def check_labels(sample: Sample) -> Finding:
    """Labels are int64 (n,), from 0 to k - 1; or probabilities of classes, float (n, k)."""
    labels = sample.all_labels

    def fail(sentence: str) -> Finding:
        return Finding("labels", "fail", sentence)

    kind = str(labels.dtype).removeprefix("torch.")
    if labels.dim() == 2:
        if labels.shape[1] == 1:
            return fail(f"Labels have the shape {tuple(labels.shape)} and should be (n,): use labels.squeeze(1).")
        if labels.is_floating_point() and bool((labels.sum(1) - 1).abs().max() < 1e-3):
            return Finding("labels", "pass", f"Labels are probabilities of {labels.shape[1]} classes, {kind}.")
        return fail(
            f"Labels have the shape {tuple(labels.shape)}, as one-hot codes have; cross-entropy wants the numbers of "
            "the classes: use labels.argmax(1)."
        )
    if labels.dim() != 1:
        return fail(f"Labels have the shape {tuple(labels.shape)} and should be (n,), a number for each example.")
    if labels.is_floating_point():
        return fail(f"Labels are {kind}; cross-entropy takes class numbers as int64: use labels.long().")
    if labels.dtype != torch.int64:
        return fail(f"Labels are {kind}; cross-entropy takes them as int64: use labels.long().")
    low, high = int(labels.min()), int(labels.max())
    if low < 0:
        return fail(f"Labels go from {low} to {high}, and classes are numbered from 0: find where {low} comes from.")
    if low == 1 and high == len(labels.unique()):
        return fail(f"Labels go from 1 to {high}, and classes are numbered from 0: use labels - 1.")
    if sample.classes is not None and high >= sample.classes:
        return fail(f"Labels go from {low} to {high}, and {sample.classes} classes end at {sample.classes - 1}.")
    return Finding("labels", "pass", f"{len(labels):,} labels looked at are int64 from {low} to {high}.")


def check_balance(sample: Sample) -> Finding:
    """How many images each class has."""
    counts = torch.bincount(class_numbers(sample.all_labels), minlength=sample.classes or 0)
    most, least = int(counts.argmax()), int(counts.argmin())
    empty = [str(label) for label in range(len(counts)) if counts[label] == 0]
    if len(counts) - len(empty) == 1:
        return Finding("class balance", "fail", f"Every label is {most}: there is nothing to tell apart.")
    if empty:
        return Finding(
            "class balance",
            "warn",
            f"No image seen of class {', '.join(empty[:10])}: a model cannot learn what it is never shown; are all "
            "folders and files there?",
        )
    ratio = int(counts[most]) / int(counts[least])
    share = int(counts[most]) / int(counts.sum())
    shown = f"Class {least} has {int(counts[least]):,} images and class {most} {int(counts[most]):,}"
    if ratio > IMBALANCE:
        return Finding(
            "class balance",
            "warn",
            f"{shown}, {ratio:.0f} times as many: always answering {most} scores {share:.1%}, so look at each "
            "class, and try --set loss.class_weights=balanced.",
        )
    return Finding("class balance", "pass", f"{shown}; always answering {most} would score {share:.1%}.")


def check_order(sample: Sample) -> list[Finding]:
    """A loader that does not shuffle must not give one class after the other."""
    batches = [labels for labels in sample.loader_batches if labels.dim() == 1 and len(labels) > 7]
    if len(batches) < 2 or len(sample.all_labels.unique()) == 1:
        return []
    single = sum(len(labels.unique()) == 1 for labels in batches)
    if 2 * single < len(batches):
        return []
    return [
        Finding(
            "order",
            "fail",
            f"{single} of the first {len(batches)} batches have a single class each: the loader goes through sorted "
            "data in their order; use DataLoader(…, shuffle=True).",
        )
    ]


def check_images(sample: Sample) -> Finding:
    """Non-finite values, and images without anything in them."""
    inputs, looked_at = sample.inputs, len(sample.all_labels)
    if inputs.is_floating_point():
        broken = ~inputs.flatten(1).isfinite().all(1)
        if bool(broken.any()):
            return Finding(
                "images",
                "fail",
                f"{int(broken.sum()):,} of {len(inputs):,} images have values that are not finite numbers (NaN or "
                "infinite), and one is enough to spoil all weights: look for a division by 0 where they are made.",
            )
    if sample.constant == looked_at:
        return Finding(
            "images", "fail", f"All {looked_at:,} images looked at are constant: every pixel has the same value."
        )
    if sample.constant:
        return Finding(
            "images",
            "warn",
            f"{sample.constant:,} of {looked_at:,} images looked at are constant, every pixel the same: look at them, "
            "and leave them out where nothing is in them.",
        )
    return Finding("images", "pass", f"None of {looked_at:,} images looked at is constant, all values are finite.")


def check_range(sample: Sample) -> Finding:
    """Inputs as the model sees them are of the order of 1."""
    inputs: Tensor = sample.inputs
    low, high = float(inputs.min()), float(inputs.max())
    values = inputs.double()
    mean, std = float(values.mean()), float(values.std())
    shown = f"values go from {low:.3g} to {high:.3g}, mean {mean:.2f}, deviation {std:.2f}"
    if not low > -float("inf") or not high < float("inf"):
        return Finding("normalisation", "skip", "The images have to be finite first.")
    if abs(mean) > LARGEST_MEAN or std > LARGEST_STD:
        bytes_left = low >= 0 and 1 < high <= 255
        cure = "subtract their mean and divide by their deviation"
        if bytes_left:
            cure = "divide by 255 and normalise, as ToTensor and Normalize do"
        return Finding("normalisation", "warn", f"Inputs are not normalised: {shown}; {cure}.")
    if std < SMALLEST_STD:
        return Finding(
            "normalisation",
            "warn",
            f"Inputs hardly vary: {shown}; divided by 255 twice, or normalised by too large a deviation?",
        )
    return Finding("normalisation", "pass", f"As the model sees them, {shown}.")
