"""What a model gives and what a label says, as classes that can be compared.

Which outputs go with which labels:

    logits (b, k), 2 classes or more    class numbers (b,) or (b, 1), or probabilities of the classes (b, k)
    logits (b, 1) or (b,), 2 classes    0 or 1, or the probability of class 1, (b,) or (b, 1)

Everything else is refused: a score of it would mean nothing.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy

from honshi.errors import HonshiError, ModelError
from honshi.models.modes import full_precision

# Logits and labels to their mean loss, a scalar.
Criterion: TypeAlias = Callable[[Tensor, Tensor], Tensor]

# These repeat the smaller of two shapes until it fits, (b, 1) and (b,) to (b, b), and go on with a warning.
_BROADCASTING = (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss)


def logits_of(outputs: object, count: int) -> Tensor:
    """The outputs of a model for ``count`` images, in float32 where they were computed with 16 bits.

    Args:
        outputs: (b, k), or (b,) of two classes.

    Raises:
        ModelError: they are not one number for each image and class.
    """
    if not isinstance(outputs, Tensor):
        raise ModelError(
            "The model gives a {kind} and not one tensor of logits: have its forward() return the logits alone.",
            kind=type(outputs).__name__,
        )
    if not outputs.is_floating_point() or outputs.dim() not in (1, 2) or len(outputs) != count:
        raise ModelError(
            "The model makes {dtype} of shape {shape} of {count} images, where logits are floats of shape "
            "({count}, classes): a row for each image and a column for each class.",
            dtype=str(outputs.dtype).removeprefix("torch."),
            shape=tuple(outputs.shape),
            count=count,
        )
    return full_precision(outputs)


def loss_of(criterion: Criterion, logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of a mini-batch, a scalar.

    Args:
        logits: (b, k) or (b,).
        labels: what the criterion takes.

    Raises:
        ModelError: the criterion does not take these, or what it gives is not one number.
    """
    if isinstance(criterion, _BROADCASTING) and logits.shape != labels.shape:
        raise _mismatch(criterion, logits, labels, "they differ in shape.")
    try:
        loss = criterion(logits, labels)
    except HonshiError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise _mismatch(criterion, logits, labels, (str(error).splitlines() or [type(error).__name__])[0]) from error
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise ModelError(
            "The criterion gives {given} for a mini-batch of {count}, where one number is needed, the mean over "
            'the images: of torch\'s own losses the one with reduction="mean".',
            given=f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}",
            count=len(labels),
        )
    return loss


def _mismatch(criterion: Criterion, logits: Tensor, labels: Tensor, problem: str) -> ModelError:
    return ModelError(
        "{criterion} does not take logits of shape {logits} ({logits_type}) with labels of shape {labels} "
        "({labels_type}): {problem}",
        criterion=getattr(criterion, "__name__", type(criterion).__name__),
        logits=tuple(logits.shape),
        logits_type=str(logits.dtype).removeprefix("torch."),
        labels=tuple(labels.shape),
        labels_type=str(labels.dtype).removeprefix("torch."),
        problem=problem,
    )


def classes_of(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The class that each answer names and the class that is right, (b,) both; see the head of this file.

    Raises:
        ModelError: labels of this shape do not belong to such logits.
    """
    if is_binary(logits):
        if labels.numel() == len(logits):
            return (logits.flatten() > 0).long(), (labels.flatten() > 0.5).long()
    elif labels.dim() == 1:
        return logits.argmax(1), labels  # class numbers (b,)
    elif labels.shape == logits.shape:
        return logits.argmax(1), labels.argmax(1)  # probabilities (b, k)
    elif labels.shape == (len(logits), 1):
        return logits.argmax(1), labels.squeeze(1)  # class numbers (b, 1)
    raise ModelError(
        "Labels of shape {labels} do not go with logits of shape {logits}: they are class numbers, ({count},), or a "
        "probability for each of the model's outputs.",
        labels=tuple(labels.shape),
        logits=tuple(logits.shape),
        count=len(logits),
    )


def is_binary(logits: Tensor) -> bool:
    """Whether one number for each image tells two classes apart."""
    return logits.dim() == 1 or logits.shape[1] == 1


def check_labels(logits: Tensor, labels: Tensor) -> None:
    """That the labels are what their shape says, which takes a look at each of them.

    Raises:
        ModelError: they are not class numbers or probabilities.
    """
    if not len(labels):
        return
    low, high = float(labels.min()), float(labels.max())
    if is_binary(logits):
        if not 0 <= low <= high <= 1:
            raise ModelError(
                "The model has one output, so labels are 0 or 1; these go from {low:g} to {high:g}. "
                "More classes need an output for each.",
                low=low,
                high=high,
            )
    elif labels.shape == logits.shape and labels.dim() == 2:
        sums = labels.sum(1, dtype=torch.float64)  # (b,)
        if low < 0 or not bool(((sums - 1).abs() < 1e-2).all()):
            raise ModelError(
                "Labels of shape {shape} are read as the probabilities of the classes, one row for each image, and the "
                "rows of these do not add up to 1. An image of several classes at once has no accuracy here.",
                shape=tuple(labels.shape),
            )
    else:
        classes = logits.shape[1]
        if not 0 <= low <= high < classes:
            raise ModelError(
                "The model has {classes} outputs and labels go from {low:g} to {high:g}: "
                "it needs an output for each class, numbered from 0.",
                classes=classes,
                low=low,
                high=high,
            )
        if labels.is_floating_point() and not bool((labels == labels.round()).all()):
            raise ModelError(
                "Labels of shape {shape} are the numbers of classes, and these are fractions: honshi trains "
                "classifiers. Make classes of them.",
                shape=tuple(labels.shape),
            )


def check_loss(loss: float, logits: Tensor, labels: Tensor) -> None:
    """That the loss of a mini-batch is a mean over its images, and of logits, as far as its value shows it.

    The criterion is not asked again: it may note what it is asked.

    Args:
        loss: what the criterion gave for these.
        logits, labels: as `classes_of` takes them.

    Raises:
        ModelError: it is the sum of one of torch's own losses; or the one output is a probability.
    """
    with torch.no_grad():
        if is_binary(logits):
            answers, target = logits.flatten(), labels.flatten().to(logits.dtype)
            sums = [binary_cross_entropy_with_logits(answers, target, reduction="sum")]
            if bool(((answers >= 0) & (answers <= 1)).all()) and _same(loss, binary_cross_entropy(answers, target)):
                raise ModelError(
                    "The model's one output is read as a logit, with 0 as the border between the classes, and it is a "
                    "probability already: leave out the sigmoid and use nn.BCEWithLogitsLoss."
                )
        elif labels.shape == logits.shape:
            target = labels.to(logits.dtype)
            sums = [measure(logits, target, reduction="sum") for measure in _OF_PROBABILITIES]
        else:
            sums = [cross_entropy(logits, labels.flatten().long(), reduction="sum")]
    if len(labels) > 1 and any(_same(loss, total) for total in sums):
        raise ModelError(
            "The criterion gives the sum over the {count} images of a mini-batch, {loss:.4g}, so that a smaller "
            'mini-batch would count for less: have it give the mean, reduction="mean" in torch\'s own losses.',
            count=len(labels),
            loss=loss,
        )


_OF_PROBABILITIES = (cross_entropy, binary_cross_entropy_with_logits)


def _same(loss: float, other: Tensor) -> bool:
    return 0 < float(other) < math.inf and math.isclose(loss, float(other), rel_tol=1e-5)
