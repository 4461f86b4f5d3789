"""The user's own train() and evaluate(): what they do to gradients and modes, seen from outside.

They are called with a few small batches, on copies, with the arguments of the lecture's functions,
``train(model, loader, criterion, optimizer, device)`` and ``evaluate(model, loader, criterion, device)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from honshi.checks.arguments import arguments_for, name_of
from honshi.checks.finding import Finding, failed, passed, warned
from honshi.checks.modes import depends_on_mode
from honshi.checks.raised import in_words
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject, peak_lr, set_lr
from honshi.checks.watch import Backward, Event, Forward, Step, Watch
from honshi.messages import Message, word

TRAIN, EVALUATE = word("training function"), word("evaluation function")
BATCHES, BATCH = 4, 16


def check_train_function(train: Callable[..., Any], subject: Subject, sample: Sample) -> list[Finding]:
    """Call a training function twice on a copy that is in train mode, and once on one that is not.

    Raises:
        RequestError: it asks for arguments that are none of the lecture's.
    """
    name = name_of(train)
    work, watch = _watched(subject)
    other, other_watch = _watched(subject)
    other.model.eval()
    calls = [_prepared(train, part, sample) for part in (work, work, other)]
    before = _weights(work.model)
    try:
        returned = calls[0]()
        changed = any(not torch.equal(old, new) for old, new in zip(before, _weights(work.model), strict=True))
        first = len(watch.events)
        calls[1]()
        calls[2]()
    except Exception as error:
        return [failed(TRAIN, "{name} raised{error}", name=name, error=in_words(error))]

    events = watch.events[:first]
    if problem := _missing_part(name, events, changed):
        return [Finding(TRAIN, "fail", problem)]
    findings = [Finding(TRAIN, "fail", problem) for problem in _gradient_problems(name, watch, events)]
    if not any(isinstance(event, Step) for event in events):
        findings.append(
            warned(TRAIN, "{name} changes the weights without the optimizer that it is given: use that one.", name=name)
        )
    findings += _mode_findings(name, work.model, events, watch.events[first:], other_watch.events)
    if _keeps_graph(returned):
        findings.append(
            warned(
                TRAIN, "{name} returns a tensor that keeps its graph in memory: add up loss.item() instead.", name=name
            )
        )
    return findings or [
        passed(TRAIN, "{name} clears, computes and uses its gradients in order, in train mode.", name=name)
    ]


def check_evaluate_function(evaluate: Callable[..., Any], subject: Subject, sample: Sample) -> list[Finding]:
    """Call an evaluation function once on a copy that is in train mode.

    Raises:
        RequestError: it asks for arguments that are none of the lecture's.
    """
    name = name_of(evaluate)
    work, watch = _watched(subject)
    call = _prepared(evaluate, work, sample)
    before = _weights(work.model)
    try:
        call()
    except Exception as error:
        return [failed(EVALUATE, "{name} raised{error}", name=name, error=in_words(error))]
    forwards = [event for event in watch.events if isinstance(event, Forward)]
    if not forwards:
        return [Finding(EVALUATE, "fail", _never_called(name))]
    findings = []
    if any(not torch.equal(old, new) for old, new in zip(before, _weights(work.model), strict=True)):
        findings.append(
            failed(EVALUATE, "{name} changes the weights: backward() and step() belong into training.", name=name)
        )
    if any(event.training for event in forwards):
        findings.append(_eval_missing(EVALUATE, name, work.model))
    if any(event.gradients for event in forwards):
        findings.append(
            warned(
                EVALUATE, "{name} computes gradients that nobody uses: put it under with torch.no_grad():.", name=name
            )
        )
    if len(forwards) < BATCHES:
        findings.append(Finding(EVALUATE, "fail", _left_early(name, len(forwards))))
    return findings or [passed(EVALUATE, "{name} goes through all batches in eval mode, without gradients.", name=name)]


def _missing_part(name: str, events: list[Event], changed: bool) -> Message | None:
    """The part of a training step that never happens."""
    forwards = [event for event in events if isinstance(event, Forward) and event.gradients]
    steps = [event for event in events if isinstance(event, Step)]
    if not any(isinstance(event, Forward) for event in events):
        return _never_called(name)
    if not any(isinstance(event, Backward) for event in events):
        if not forwards:
            return Message(
                "{name} calls the model under torch.no_grad(), so there is nothing to learn from.", name=name
            )
        return Message(
            "{name} never computes gradients: loss.backward() is missing before optimizer.step().", name=name
        )
    if not steps and not changed:
        return Message("{name} never uses its gradients: optimizer.step() is missing after loss.backward().", name=name)
    if len(forwards) < BATCHES:
        return _left_early(name, len(forwards))
    return None


def _gradient_problems(name: str, watch: Watch, events: list[Event]) -> list[Message]:
    """zero_grad and step in the wrong places."""
    problems = []
    backward_before = False
    for event in events:
        if isinstance(event, Backward):
            backward_before = True
        elif isinstance(event, Step):
            if not event.gradients:
                problems.append(
                    Message(
                        "{name} clears the gradients between backward() and step(), so the step has none: put "
                        "optimizer.zero_grad() before loss.backward().",
                        name=name,
                    )
                    if backward_before
                    else Message(
                        "{name} calls optimizer.step() before loss.backward(): the first step has no gradient, and "
                        "each later one that of the batch before.",
                        name=name,
                    )
                )
                break
            backward_before = False
    if watch.stale:
        problems.append(
            Message(
                "{name} adds each batch's gradients to those of all batches before: optimizer.zero_grad() is missing "
                "before loss.backward().",
                name=name,
            )
        )
    return problems


def _mode_findings(
    name: str, model: nn.Module, first: list[Event], second: list[Event], begun_in_eval: list[Event]
) -> list[Finding]:
    """Train mode while training, eval mode while evaluating, and train mode again afterwards.

    Args:
        first: what happened in the first call, with a model in train mode.
        second: in another call with the same model.
        begun_in_eval: in a call with a model in eval mode.
    """
    findings = []
    if not all(_training_modes(first)):
        findings.append(
            failed(
                TRAIN,
                "{name} trains in eval mode: call model.train() before the batches, and again after each evaluation.",
                name=name,
            )
        )
    elif not all(_training_modes(second)):
        findings.append(
            failed(
                TRAIN,
                "{name} leaves the model in eval mode, and the next epoch trains in it: begin with model.train().",
                name=name,
            )
        )
    elif not all(_training_modes(begun_in_eval)) and depends_on_mode(model):
        findings.append(
            warned(
                TRAIN,
                "{name} never calls model.train(): after an evaluation dropout and batch norm stay in eval mode. "
                "Begin with model.train().",
                name=name,
            )
        )
    if any(isinstance(event, Forward) and not event.gradients and event.training for event in first):
        findings.append(_eval_missing(TRAIN, name, model))
    return findings


def _training_modes(events: list[Event]) -> list[bool]:
    """The modes of the forward passes that gradients were computed of."""
    modes = []
    last: Forward | None = None
    for event in events:
        if isinstance(event, Forward):
            last = event
        elif isinstance(event, Backward) and last is not None:
            modes.append(last.training)
    return modes


def _never_called(name: str) -> Message:
    return Message("{name} never calls the model that it is given: does it use another one by its name?", name=name)


def _eval_missing(check: str, name: str, model: nn.Module) -> Finding:
    if depends_on_mode(model):
        return failed(
            check,
            "{name} evaluates in train mode: model.eval() is missing, so dropout and batch norm falsify the score.",
            name=name,
        )
    return warned(
        check,
        "{name} evaluates in train mode: model.eval() is missing. This model does not mind; one with dropout or batch "
        "norm would.",
        name=name,
    )


def _left_early(name: str, seen: int) -> Message:
    return Message(
        "{name} uses {seen} of {batches} batches: is return, or break, indented into the loop?",
        name=name,
        seen=seen,
        batches=BATCHES,
    )


def _watched(subject: Subject) -> tuple[Subject, Watch]:
    work = subject.copy()
    set_lr(work.optimizer, peak_lr(work.optimizer))
    work.model.train()
    return work, Watch(work.model, work.optimizer)


def _weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def _prepared(function: Callable[..., Any], work: Subject, sample: Sample) -> Callable[[], Any]:
    """A call of the function with the arguments that it asks for."""
    inputs, labels = (part.cpu().clone() for part in sample.first(BATCHES * BATCH))
    arguments = arguments_for(
        function,
        {
            "model": work.model,
            "loader": DataLoader(TensorDataset(inputs, labels), batch_size=-(-len(inputs) // BATCHES)),
            "criterion": work.criterion,
            "optimizer": work.optimizer,
            "device": work.device,
            "epochs": 1,
        },
    )
    return lambda: function(**arguments)


def _keeps_graph(returned: object) -> bool:
    if isinstance(returned, Tensor):
        return returned.requires_grad
    if isinstance(returned, dict):
        returned = tuple(returned.values())
    return isinstance(returned, (tuple, list)) and any(_keeps_graph(part) for part in returned)
