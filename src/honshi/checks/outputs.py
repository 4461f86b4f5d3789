"""What the last layer does to the logits, and whether that goes with the loss.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from honshi.checks.finding import Finding, failed, passed, warned
from honshi.checks.raised import place_of
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject, logits_in
from honshi.checks.trace import observable_layers
from honshi.errors import ModelError
from honshi.evaluation.answers import Criterion, check_labels, check_loss, classes_of, logits_of, loss_of
from honshi.messages import Message, first_line
from honshi.models.modes import evaluating, full_precision, train_mode
from honshi.models.outputs import is_binary
from honshi.models.watched import watched

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


def takes_labels(subject: Subject, sample: Sample) -> bool:
    """Whether model and loss take the labels as they come, so that the answers can be scored; on a copy on the CPU."""
    work = subject.copy()
    model, criterion = work.model.cpu(), work.criterion
    if isinstance(criterion, nn.Module):
        criterion.cpu()
    inputs, labels = sample.first(BATCH)
    try:
        with evaluating(model):
            logits = logits_of(model(inputs.clone()), len(labels))
        if is_binary(logits) and sample.binary:
            return True
        check_labels(logits, labels)
        classes_of(logits, labels)
        return math.isfinite(loss_of(criterion, logits, labels).item())
    except Exception:
        # What is wrong is said by the checks of data, shapes and loss.
        return False


def check_criterion(subject: Subject, sample: Sample) -> Finding:
    """The loss takes what the model gives, and labels, and gives one number, their mean; on a copy."""
    work = subject.copy()
    inputs, labels = sample.first(BATCH)
    criterion, logits = work.criterion, _logits(work, inputs)
    try:
        loss: Any = criterion(logits, labels)
        doubled = criterion(torch.cat([logits, logits]), torch.cat([labels, labels]))
    except Exception as error:
        return failed(
            "loss",
            "The loss refused logits {shape} and labels{place}: {error}.",
            shape=tuple(logits.shape),
            place=place_of(error),
            error=first_line(error),
        )
    if not isinstance(loss, Tensor):
        return failed(
            "loss",
            "The loss is a {kind} and not a tensor: return the tensor as it is, without .item(), or nothing can learn.",
            kind=type(loss).__name__,
        )
    if loss.dim():
        return failed("loss", "The loss is not one number: leave out reduction='none', or take the mean of it.")
    if refused := _refused_in_train_mode(work, inputs, labels):
        return refused
    try:
        check_loss(loss.item(), logits, labels)
    except ModelError as error:
        return Finding("loss", "fail", error.message)
    single, double = loss.item(), doubled.item()
    if math.isfinite(single) and abs(single) > 1e-6 and abs(double / single - 2) < 0.01:
        return warned(
            "loss",
            "The loss is the sum over the batch, so a larger batch means larger steps: reduction='mean' keeps the "
            "learning rate's meaning.",
        )
    return passed("loss", "The loss is one number, the mean over the batch.")


def _refused_in_train_mode(work: Subject, inputs: Tensor, labels: Tensor) -> Finding | None:
    """Some models give more in train mode, of their side branches, and their loss has to take it."""
    train_mode(work.model)
    outputs = work.model(inputs.clone())
    if isinstance(outputs, Tensor):
        return None
    kind = f"a {type(outputs).__name__}" + (f" of {len(outputs)}" if isinstance(outputs, (tuple, list)) else "")
    try:
        work.criterion(outputs, labels)
    except Exception as error:
        return failed(
            "loss",
            "In train mode the model gives {kind}, as GoogLeNet and Inception do, and the loss refused it: {error}. "
            "Return the logits alone (aux_logits=False in torchvision), or give a loss that takes them all.",
            kind=kind,
            error=first_line(error),
        )
    if not isinstance(outputs, (tuple, list)):
        return failed(
            "loss",
            "In train mode the model gives {kind} and not a tensor: return the logits, or a tuple that begins with "
            "them.",
            kind=kind,
        )
    return warned(
        "loss",
        "In train mode the model gives {kind}, and the loss takes it: a loop of your own can train with that, "
        "honshi.fit takes logits alone.",
        kind=kind,
    )


def _logits(work: Subject, inputs: Tensor) -> Tensor:
    with evaluating(work.model):
        return full_precision(work.model(inputs.clone()))


def _normalizes(criterion: Criterion, logits: Tensor, labels: Tensor) -> bool:
    """Whether a loss applies softmax itself, as cross-entropy does: then a constant on all logits changes nothing."""
    here, shifted = criterion(logits, labels).item(), criterion(logits + 3, labels).item()
    return abs(here - shifted) <= 1e-3 * max(1, abs(here))


def _check_last_layer(subject: Subject, logits: Tensor, labels: Tensor, inputs: Tensor) -> Finding:
    """No activation may stand between the last layer and a loss that takes logits."""
    if is_binary(logits):
        return passed("last layer", "The model gives one logit, which tells two classes apart.")
    normalizes = _normalizes(subject.criterion, logits, labels)
    last = _last_operation(subject.model, inputs)
    sums = logits.sum(1)
    probabilities = bool((logits >= 0).all()) and bool(((sums - 1).abs() < 1e-3).all())
    log_probabilities = bool((logits.logsumexp(1).abs() < 1e-3).all())

    if not normalizes:
        if isinstance(subject.criterion, nn.NLLLoss) and probabilities:
            return failed(
                "last layer", "NLLLoss takes logarithms and the model ends in softmax: use log_softmax(x, dim=1)."
            )
        if isinstance(subject.criterion, nn.NLLLoss) and not log_probabilities:
            return failed(
                "last layer",
                "NLLLoss takes log-probabilities and the model gives logits: use nn.CrossEntropyLoss(), or end the "
                "model in log_softmax(x, dim=1).",
            )
        return passed("last layer", "What the model gives goes with its loss.")
    if probabilities or last == "Softmax":
        return failed(
            "last layer",
            "The model ends in softmax and cross-entropy applies softmax again, which flattens every gradient: return "
            "the logits, and take softmax only to show probabilities.",
        )
    if last == "Sigmoid":
        return failed(
            "last layer", "The model ends in a sigmoid and cross-entropy wants logits of any size: return the logits."
        )
    if last == "Tanh":
        return failed(
            "last layer",
            "The model ends in tanh, so no class can get more than e² times the share of another: return the logits.",
        )
    if last in ("Relu", "ReLU") or (bool((logits >= 0).all()) and float((logits == 0).float().mean()) > 0.05):
        return failed(
            "last layer",
            "A ReLU stands on the logits: what is below 0 gets no gradient, and classes die. Return the last linear "
            "layer's output as it is.",
        )
    if last == "Dropout":
        return failed(
            "last layer", "Dropout stands on the logits and deletes whole answers: put it before the last layer."
        )
    if log_probabilities:
        return passed(
            "last layer",
            "The model gives log-probabilities; cross-entropy takes them like logits, twice is harmless.",
        )
    return passed("last layer", "The model gives logits, as cross-entropy wants them.")


def _last_operation(model: nn.Module, inputs: Tensor) -> str:
    """The name of what made the outputs: ``Softmax``, ``Relu``, ``Dropout``, ``Addmm``."""
    seen: list[tuple[str, Tensor]] = []

    def note(_name: str, layer: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            seen.append((type(layer).__name__, output))

    with watched([(name, layer) for name, layer in observable_layers(model) if not any(layer.children())], note):
        output = logits_in(model(inputs[:16].clone()))
    if seen and seen[-1][1] is output and seen[-1][0] == "Dropout":
        return "Dropout"
    return output.grad_fn.name().removesuffix("Backward0") if output.grad_fn is not None else ""


def _check_first_loss(criterion: Criterion, logits: Tensor, labels: Tensor) -> Finding:
    """Before it has learnt anything, a model's loss is about that of guessing, ln(k)."""
    k = 2 if is_binary(logits) else logits.shape[1]
    # Equal answers for all classes are also their logarithms: right for logits and for log-probabilities.
    equal = torch.zeros_like(logits) if is_binary(logits) else torch.full_like(logits, -math.log(k))
    guessing = criterion(equal, labels).item()
    loss = criterion(logits, labels).item()
    answers, right = classes_of(logits, labels)
    accuracy = (answers == right).float().mean().item()
    shown = Message(
        "The first loss is {loss:.3f}; guessing among {k} classes gives {guessing:.3f}{formula}",
        loss=loss,
        k=k,
        guessing=guessing,
        formula=f" = ln({k})" if abs(guessing - math.log(k)) < 0.01 else "",
    )
    if not math.isfinite(loss):
        return failed("first loss", "The first loss is {loss}: look for values that are not finite.", loss=loss)
    if loss > 1.5 * guessing:
        return warned(
            "first loss",
            "{shown}: the untrained model is sure of wrong answers. Are inputs normalised, and first weights small?",
            shown=shown,
        )
    if loss < 0.7 * guessing:
        if accuracy > min(2 / k, 0.75):
            return passed(
                "first loss", "{shown}: it has learnt already, {accuracy:.0%} right.", shown=shown, accuracy=accuracy
            )
        return warned(
            "first loss", "{shown}: lower than chance allows. Is the loss the one that is meant?", shown=shown
        )
    return passed("first loss", "{shown}.", shown=shown)
