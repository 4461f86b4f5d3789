"""What the last layer does to the logits, and whether that goes with the loss.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from honshi.checks.finding import Finding
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject
from honshi.data.batches import class_numbers
from honshi.evaluation.evaluate import Criterion
from honshi.models.modes import evaluating, full_precision

BATCH = 256


def check_outputs(subject: Subject, sample: Sample) -> list[Finding]:
    """Activations on the logits, and the first loss; on a copy."""
    work = subject.copy()
    inputs, labels = sample.first(BATCH)
    logits = _logits(work, inputs)
    return [
        _check_last_layer(work, logits, labels, inputs),
        _check_first_loss(work.criterion, logits, labels),
    ]


def check_criterion(subject: Subject, sample: Sample) -> Finding:
    """The loss takes logits and labels and gives one number, their mean; on a copy."""
    work = subject.copy()
    inputs, labels = sample.first(BATCH)
    criterion, logits = work.criterion, _logits(work, inputs)
    try:
        loss = criterion(logits, labels)
        doubled = criterion(torch.cat([logits, logits]), torch.cat([labels, labels]))
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        return Finding(
            "loss",
            "fail",
            f"The loss refused logits {tuple(logits.shape)} and labels: {type(error).__name__}: {first}.",
        )
    if not isinstance(loss, Tensor) or loss.dim():
        return Finding(
            "loss", "fail", "The loss is not one number: leave out reduction='none', or take the mean of it."
        )
    single, double = float(loss), float(doubled)
    if math.isfinite(single) and abs(single) > 1e-6 and abs(double / single - 2) < 0.01:
        return Finding(
            "loss",
            "warn",
            "The loss is the sum over the batch, so a larger batch means larger steps: reduction='mean' keeps the "
            "learning rate's meaning.",
        )
    return Finding("loss", "pass", "The loss is one number, the mean over the batch.")


def _logits(work: Subject, inputs: Tensor) -> Tensor:
    with evaluating(work.model):
        return full_precision(work.model(inputs.clone()))


def _normalizes(criterion: Criterion, logits: Tensor, labels: Tensor) -> bool:
    """Whether a loss applies softmax itself, as cross-entropy does: then a constant on all logits changes nothing."""
    here, shifted = float(criterion(logits, labels)), float(criterion(logits + 3, labels))
    return abs(here - shifted) <= 1e-3 * max(1, abs(here))


def _check_last_layer(subject: Subject, logits: Tensor, labels: Tensor, inputs: Tensor) -> Finding:
    """No activation may stand between the last layer and a loss that takes logits."""
    normalizes = _normalizes(subject.criterion, logits, labels)
    last = _last_operation(subject.model, inputs)
    sums = logits.sum(1)
    probabilities = bool((logits >= 0).all()) and bool(((sums - 1).abs() < 1e-3).all())
    log_probabilities = bool((logits.logsumexp(1).abs() < 1e-3).all())

    def fail(sentence: str) -> Finding:
        return Finding("last layer", "fail", sentence)

    if not normalizes:
        if isinstance(subject.criterion, nn.NLLLoss) and probabilities:
            return fail("NLLLoss takes logarithms and the model ends in softmax: use log_softmax(x, dim=1).")
        if isinstance(subject.criterion, nn.NLLLoss) and not log_probabilities:
            return fail(
                "NLLLoss takes log-probabilities and the model gives logits: use nn.CrossEntropyLoss(), or end the "
                "model in log_softmax(x, dim=1)."
            )
        return Finding("last layer", "pass", "What the model gives goes with its loss.")
    if probabilities or last == "Softmax":
        return fail(
            "The model ends in softmax and cross-entropy applies softmax again, which flattens every gradient: return "
            "the logits, and take softmax only to show probabilities."
        )
    if last == "Sigmoid":
        return fail("The model ends in a sigmoid and cross-entropy wants logits of any size: return the logits.")
    if last == "Tanh":
        return fail(
            "The model ends in tanh, so no class can get more than e² times the share of another: return the logits."
        )
    if last in ("Relu", "ReLU") or (bool((logits >= 0).all()) and float((logits == 0).float().mean()) > 0.05):
        return fail(
            "A ReLU stands on the logits: what is below 0 gets no gradient, and classes die. Return the last linear "
            "layer's output as it is."
        )
    if last == "Dropout":
        return fail("Dropout stands on the logits and deletes whole answers: put it before the last layer.")
    if log_probabilities:
        return Finding(
            "last layer",
            "pass",
            "The model gives log-probabilities; cross-entropy takes them like logits, twice is harmless.",
        )
    return Finding("last layer", "pass", "The model gives logits, as cross-entropy wants them.")


def _last_operation(model: nn.Module, inputs: Tensor) -> str:
    """The name of what made the outputs: ``Softmax``, ``Relu``, ``Dropout``, ``Addmm``."""
    seen: list[tuple[str, Tensor]] = []

    def note(layer: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            seen.append((type(layer).__name__, output))

    handles = [layer.register_forward_hook(note) for layer in model.modules() if not any(layer.children())]
    try:
        output: Tensor = model(inputs[:16].clone())
    finally:
        for handle in handles:
            handle.remove()
    if seen and seen[-1][1] is output and seen[-1][0] == "Dropout":
        return "Dropout"
    return output.grad_fn.name().removesuffix("Backward0") if output.grad_fn is not None else ""


def _check_first_loss(criterion: Criterion, logits: Tensor, labels: Tensor) -> Finding:
    """Before it has learnt anything, a model's loss is about that of guessing, ln(k)."""
    k = logits.shape[1]
    # Equal answers for all classes are also their logarithms: right for logits and for log-probabilities.
    guessing = float(criterion(torch.full_like(logits, -math.log(k)), labels))
    loss = float(criterion(logits, labels))
    accuracy = float((logits.argmax(1) == class_numbers(labels)).float().mean())
    shown = f"The first loss is {loss:.3f}; guessing among {k} classes gives {guessing:.3f}"
    if abs(guessing - math.log(k)) < 0.01:
        shown += f" = ln({k})"
    if not math.isfinite(loss):
        return Finding("first loss", "fail", f"The first loss is {loss}: look for values that are not finite.")
    if loss > 1.5 * guessing:
        return Finding(
            "first loss",
            "warn",
            f"{shown}: the untrained model is sure of wrong answers. Are inputs normalised, and first weights small?",
        )
    if loss < 0.7 * guessing:
        if accuracy > 2 / k:
            return Finding("first loss", "pass", f"{shown}: it has learnt already, {accuracy:.0%} right.")
        return Finding("first loss", "warn", f"{shown}: lower than chance allows. Is the loss the one that is meant?")
    return Finding("first loss", "pass", f"{shown}.")
