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
from torch.nn.functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    one_hot,
    smooth_l1_loss,
)

from honshi.errors import HonshiError, ModelError
from honshi.messages import Message, first_line
from honshi.models.modes import full_precision
from honshi.models.outputs import is_binary

# Logits and labels to their mean loss, a scalar.
Criterion: TypeAlias = Callable[[Tensor, Tensor], Tensor]

# These repeat the smaller of two shapes until it fits, (b, 1) and (b,) to (b, b), and go on with a warning.
_BROADCASTING = (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss)
# These choose one of several outputs.
_OF_SEVERAL = (nn.CrossEntropyLoss, nn.NLLLoss)


def ask(model: Callable[[Tensor], object], inputs: Tensor, count: int) -> Tensor:
    """The logits of a model for ``count`` images, as `logits_of`.

    Raises:
        ModelError: the model refuses such inputs, or what it gives are no logits.
    """
    try:
        outputs = model(inputs)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, IndexError) as error:
        raise ModelError(
            "The model does not take inputs of shape {shape} ({kind}): {problem}. "
            "honshi.check says which of its layers refuses them, and what mends it.",
            shape=tuple(inputs.shape),
            kind=_kind(inputs),
            problem=first_line(error),
        ) from error
    return logits_of(outputs, count)


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
            dtype=_kind(outputs),
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
        raise _mismatch(criterion, logits, labels, "they differ in shape")
    if isinstance(criterion, _OF_SEVERAL) and is_binary(logits):
        raise _mismatch(criterion, logits, labels, "of one output for each image it is 0 whatever that says")
    try:
        loss = criterion(logits, labels)
    except (HonshiError, torch.OutOfMemoryError):
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        check_labels(logits, labels)
        raise _mismatch(criterion, logits, labels, first_line(error)) from error
    if not isinstance(loss, Tensor) or loss.numel() != 1 or loss.is_complex():
        raise ModelError(
            "The criterion gives {given} for a mini-batch of {count}, where one number is needed, the mean over "
            'the images: of torch\'s own losses the one with reduction="mean".',
            given=f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}",
            count=len(labels),
        )
    return loss


def loss_to_learn_from(criterion: Criterion, logits: Tensor, labels: Tensor) -> Tensor:
    """As `loss_of`, in training.

    Raises:
        ModelError: also where it has no gradient.
    """
    loss = loss_of(criterion, logits, labels)
    if not loss.requires_grad:
        raise ModelError(
            "The loss has no gradient, so the model would learn nothing: somewhere between its weights and the loss is "
            "a detach(), a no_grad(), an argmax() or a rounding. Leave it out."
        )
    return loss


def _mismatch(criterion: Criterion, logits: Tensor, labels: Tensor, problem: str) -> ModelError:
    return ModelError(
        "{criterion} does not take logits of shape {logits} ({logits_type}) with labels of shape {labels} "
        "({labels_type}): {problem}.{wanted}",
        criterion=getattr(criterion, "__name__", type(criterion).__name__),
        logits=tuple(logits.shape),
        logits_type=_kind(logits),
        labels=tuple(labels.shape),
        labels_type=_kind(labels),
        problem=problem,
        wanted=_wanted(criterion, logits),
    )


def _wanted(criterion: Criterion, logits: Tensor) -> Message:
    """What one of torch's own losses takes, after a space; empty for others."""
    if isinstance(criterion, _OF_SEVERAL) and is_binary(logits):
        return Message(" Give the model an output for each class, or take nn.BCEWithLogitsLoss.")
    if isinstance(criterion, _OF_SEVERAL):
        return Message(" It takes class numbers, int64 ({count},): labels.long().", count=len(logits))
    if isinstance(criterion, (*_BROADCASTING, nn.BCEWithLogitsLoss, nn.BCELoss)):
        return Message(" It takes floats of the logits' own shape {shape}.", shape=tuple(logits.shape))
    return Message("")


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def classes_of(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The class that each answer names and the class that is right, (b,) both; see the head of this file.

    Raises:
        ModelError: labels of this shape do not belong to such logits.
    """
    labels = _comparable(labels)
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


def _comparable(labels: Tensor) -> Tensor:
    """The same labels in a type whose numbers torch can compare: bool and some whole ones are for keeping alone.

    Raises:
        ModelError: they are not numbers that have an order.
    """
    if labels.is_complex():
        raise ModelError("Labels are complex numbers ({kind}): make class numbers of them.", kind=_kind(labels))
    return labels if labels.is_floating_point() else labels.long()


def check_labels(logits: Tensor, labels: Tensor) -> None:
    """That the labels are what their shape says, which takes a look at each of them.

    Raises:
        ModelError: they are not class numbers or probabilities.
    """
    if not labels.numel():
        return
    labels = _comparable(labels)
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
            _check_border(loss, logits, labels)
            answers, target = logits.flatten(), labels.flatten().to(logits.dtype)
            sums = [binary_cross_entropy_with_logits(answers, target, reduction="sum")]
        elif labels.shape == logits.shape:
            target = labels.to(logits.dtype)
            sums = [measure(logits, target, reduction="sum") for measure in (*_OF_PROBABILITIES, mse_loss)]
        else:
            numbers = labels.flatten().long()
            target = one_hot(numbers, logits.shape[1]).to(logits.dtype)
            sums = [cross_entropy(logits, numbers, reduction="sum"), mse_loss(logits, target, reduction="sum")]
    if len(labels) > 1 and any(_same(loss, total) for total in sums):
        raise ModelError(
            "The criterion gives the sum over the {count} images of a mini-batch, {loss:.4g}, so that a smaller "
            'mini-batch would count for less: have it give the mean, reduction="mean" in torch\'s own losses.',
            count=len(labels),
            loss=loss,
        )


def _check_border(loss: float, logits: Tensor, labels: Tensor) -> None:
    """That 0 is where one output passes from one class to the other.

    Raises:
        ModelError: it is a half, because the output is a probability or the loss makes it one.
    """
    answers, target = logits.flatten(), labels.flatten().to(logits.dtype)
    probable = bool(((answers >= 0) & (answers <= 1)).all())
    if _is_sigmoid(logits) or (probable and _same(loss, binary_cross_entropy(answers, target))):
        raise ModelError(
            "The model's one output is read as a logit, with 0 as the border between the classes, and it is a "
            "probability already: leave out the sigmoid and use nn.BCEWithLogitsLoss."
        )
    if any(_same(loss, measure(answers, target)) for measure in (mse_loss, l1_loss, smooth_l1_loss)):
        raise ModelError(
            "The loss draws the model's one output to 0 or to 1, so that the border between the classes is a half, "
            "and the output is read as a logit, whose border is 0: use nn.BCEWithLogitsLoss."
        )


def _is_sigmoid(logits: Tensor) -> bool:
    """Whether these numbers come out of a sigmoid, as the graph tells; without a graph nobody knows."""
    node = logits.grad_fn
    while node is not None and node.name().startswith(_SAME_NUMBERS):
        node = node.next_functions[0][0]
    return node is not None and node.name().startswith("Sigmoid")


# Operations, as graphs call them, which give the numbers that they were given.
_SAME_NUMBERS = (
    "View",
    "UnsafeView",
    "ReshapeAlias",
    "Squeeze",
    "Unsqueeze",
    "Select",
    "Slice",
    "ToCopy",
    "Clone",
    "T",
)
_OF_PROBABILITIES = (cross_entropy, binary_cross_entropy_with_logits)


def _same(loss: float, other: Tensor) -> bool:
    return 0 < float(other) < math.inf and math.isclose(loss, float(other), rel_tol=1e-5)
