"""The user's own train() and evaluate(): what they do to gradients and modes, seen from outside.

They are called with a few small batches, on copies, with the arguments of the lecture's functions,
``train(model, loader, criterion, optimizer, device)`` and ``evaluate(model, loader, criterion, device)``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

from honshi.checks.finding import Finding, Level
from honshi.checks.modes import depends_on_mode
from honshi.checks.sample import Sample
from honshi.checks.shapes import place_of
from honshi.checks.subject import Subject, peak_lr, set_lr
from honshi.errors import RequestError

TRAIN, EVALUATE = "training function", "evaluation function"
BATCHES, BATCH = 4, 16

# The lecture's order, and what else these parameters are called.
ROLES: dict[str, tuple[str, ...]] = {
    "model": ("model", "net", "network"),
    "loader": ("loader", "dataloader", "data_loader", "batches", "data", "dl"),
    "criterion": ("criterion", "loss_fn", "loss_func", "loss_function", "loss"),
    "optimizer": ("optimizer", "optim", "opt"),
    "device": ("device", "dev"),
    "epochs": ("epochs", "num_epochs", "n_epochs", "epoch"),
}


@dataclass(frozen=True)
class Forward:
    """A batch went through the model.

    Attributes:
        training: whether the model was in train mode.
        gradients: whether gradients were enabled.
    """

    training: bool
    gradients: bool


@dataclass(frozen=True)
class Backward:
    """Gradients arrived at the parameters."""


@dataclass(frozen=True)
class Step:
    """The optimizer was asked for a step.

    Attributes:
        gradients: whether any parameter had a gradient other than 0.
    """

    gradients: bool


@dataclass
class Watch:
    """What happens to a model and an optimizer, in order.

    Attributes:
        events: what happened.
        stale: whether gradients of before a step were still there when those of after it arrived.
    """

    model: nn.Module
    optimizer: Optimizer
    events: list[Forward | Backward | Step] = field(default_factory=list)
    stale: bool = False

    def __post_init__(self) -> None:
        self._arrived: set[int] = set()
        self._stepped: set[int] = set()
        self._incoming: dict[int, Tensor] = {}
        self.model.register_forward_pre_hook(self._on_forward)
        self.optimizer.register_step_pre_hook(self._on_step)
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.register_hook(partial(self._on_gradient, id(parameter)))
                parameter.register_post_accumulate_grad_hook(self._on_accumulated)

    def _on_forward(self, model: nn.Module, _arguments: object) -> None:
        self._arrived.clear()
        self.events.append(Forward(model.training, torch.is_grad_enabled()))

    def _on_gradient(self, key: int, gradient: Tensor) -> None:
        if not self._arrived:
            self.events.append(Backward())
        self._arrived.add(key)
        if key in self._stepped:
            self._incoming[key] = gradient.detach().clone()

    def _on_accumulated(self, parameter: Tensor) -> None:
        # Only the first gradient after a step tells: later ones are added on purpose where gradients are
        # gathered over several batches.
        incoming = self._incoming.pop(id(parameter), None)
        if incoming is not None and parameter.grad is not None:
            self._stepped.discard(id(parameter))
            self.stale |= not torch.allclose(parameter.grad, incoming, rtol=1e-4, atol=1e-8, equal_nan=True)

    def _on_step(self, *_: object) -> None:
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        self.events.append(Step(any(bool(gradient.any()) for gradient in gradients)))
        self._arrived.clear()
        self._stepped = {id(parameter) for parameter in self.model.parameters()}


def check_train_function(train: Callable[..., Any], subject: Subject, sample: Sample) -> list[Finding]:
    """Call a training function twice on a copy that is in train mode, and once on one that is not.

    Raises:
        RequestError: it asks for arguments that are none of the lecture's.
    """
    name = _name_of(train)

    def finding(level: Level, sentence: str) -> Finding:
        return Finding(TRAIN, level, sentence)

    work, watch = _watched(subject)
    before = _weights(work.model)
    try:
        returned = _call(train, work, sample)
        changed = any(not torch.equal(old, new) for old, new in zip(before, _weights(work.model), strict=True))
        first = len(watch.events)
        _call(train, work, sample)
        other, other_watch = _watched(subject)
        other.model.eval()
        _call(train, other, sample)
    except RequestError:
        raise
    except Exception as error:
        return [finding("fail", f"{name} raised{place_of(error)} {_first_line(error)}")]

    events = watch.events[:first]
    if problem := _missing_part(name, events, changed):
        return [finding("fail", problem)]
    findings = [finding("fail", sentence) for sentence in _gradient_problems(name, watch, events)]
    if not any(isinstance(event, Step) for event in events):
        findings.append(
            finding("warn", f"{name} changes the weights without the optimizer that it is given: use that one.")
        )
    findings += _mode_findings(name, work.model, events, watch.events[first:], other_watch.events)
    if _keeps_graph(returned):
        findings.append(
            finding("warn", f"{name} returns a tensor that keeps its graph in memory: add up loss.item() instead.")
        )
    if findings:
        return findings
    return [finding("pass", f"{name} clears, computes and uses its gradients in order, in train mode.")]


def check_evaluate_function(evaluate: Callable[..., Any], subject: Subject, sample: Sample) -> list[Finding]:
    """Call an evaluation function once on a copy that is in train mode.

    Raises:
        RequestError: it asks for arguments that are none of the lecture's.
    """
    name = _name_of(evaluate)

    def finding(level: Level, sentence: str) -> Finding:
        return Finding(EVALUATE, level, sentence)

    work, watch = _watched(subject)
    before = _weights(work.model)
    try:
        _call(evaluate, work, sample)
    except RequestError:
        raise
    except Exception as error:
        return [finding("fail", f"{name} raised{place_of(error)} {_first_line(error)}")]
    forwards = [event for event in watch.events if isinstance(event, Forward)]
    if not forwards:
        return [finding("fail", f"{name} never calls the model that it is given: does it use another one by its name?")]
    findings = []
    if any(not torch.equal(old, new) for old, new in zip(before, _weights(work.model), strict=True)):
        findings.append(finding("fail", f"{name} changes the weights: backward() and step() belong into training."))
    if any(event.training for event in forwards):
        findings.append(_eval_missing(EVALUATE, name, work.model))
    if any(event.gradients for event in forwards):
        findings.append(
            finding("warn", f"{name} computes gradients that nobody uses: put it under with torch.no_grad():.")
        )
    if len(forwards) < BATCHES:
        findings.append(finding("fail", _left_early(name, len(forwards))))
    return findings or [finding("pass", f"{name} goes through all batches in eval mode, without gradients.")]


def _missing_part(name: str, events: list[Forward | Backward | Step], changed: bool) -> str | None:
    """The part of a training step that never happens, in a sentence."""
    forwards = [event for event in events if isinstance(event, Forward) and event.gradients]
    steps = [event for event in events if isinstance(event, Step)]
    if not any(isinstance(event, Forward) for event in events):
        return f"{name} never calls the model that it is given: does it use another one by its name?"
    if not any(isinstance(event, Backward) for event in events):
        if not forwards:
            return f"{name} calls the model under torch.no_grad(), so there is nothing to learn from."
        return f"{name} never computes gradients: loss.backward() is missing before optimizer.step()."
    if not steps and not changed:
        return f"{name} never uses its gradients: optimizer.step() is missing after loss.backward()."
    if len(forwards) < BATCHES:
        return _left_early(name, len(forwards))
    return None


def _gradient_problems(name: str, watch: Watch, events: list[Forward | Backward | Step]) -> list[str]:
    """zero_grad and step in the wrong places."""
    problems = []
    backward_before = False
    for event in events:
        if isinstance(event, Backward):
            backward_before = True
        elif isinstance(event, Step):
            if not event.gradients:
                problems.append(
                    f"{name} clears the gradients between backward() and step(), so the step has none: put "
                    "optimizer.zero_grad() before loss.backward()."
                    if backward_before
                    else f"{name} calls optimizer.step() before loss.backward(): the first step has no gradient, and "
                    "each later one that of the batch before."
                )
                break
            backward_before = False
    if watch.stale:
        problems.append(
            f"{name} adds each batch's gradients to those of all batches before: optimizer.zero_grad() is missing "
            "before loss.backward()."
        )
    return problems


def _mode_findings(
    name: str,
    model: nn.Module,
    first: list[Forward | Backward | Step],
    second: list[Forward | Backward | Step],
    begun_in_eval: list[Forward | Backward | Step],
) -> list[Finding]:
    """Train mode while training, eval mode while evaluating, and the way back."""
    findings = []
    if not all(_training_modes(first)):
        findings.append(
            Finding(
                TRAIN,
                "fail",
                f"{name} trains in eval mode: call model.train() before the batches, and again after each evaluation.",
            )
        )
    elif not all(_training_modes(second)):
        findings.append(
            Finding(
                TRAIN,
                "fail",
                f"{name} leaves the model in eval mode, and the next epoch trains in it: begin with model.train().",
            )
        )
    elif not all(_training_modes(begun_in_eval)) and depends_on_mode(model):
        findings.append(
            Finding(
                TRAIN,
                "warn",
                f"{name} never calls model.train(): after an evaluation dropout and batch norm stay in eval mode. "
                "Begin with model.train().",
            )
        )
    if any(isinstance(event, Forward) and not event.gradients and event.training for event in first):
        findings.append(_eval_missing(TRAIN, name, model))
    return findings


def _training_modes(events: list[Forward | Backward | Step]) -> list[bool]:
    """The modes of the forward passes that gradients were computed of."""
    modes = []
    last: Forward | None = None
    for event in events:
        if isinstance(event, Forward):
            last = event
        elif isinstance(event, Backward) and last is not None:
            modes.append(last.training)
    return modes


def _eval_missing(check: str, name: str, model: nn.Module) -> Finding:
    sentence = f"{name} evaluates in train mode: model.eval() is missing"
    if depends_on_mode(model):
        return Finding(check, "fail", f"{sentence}, so dropout and batch norm falsify the score.")
    return Finding(check, "warn", f"{sentence}. This model does not mind; one with dropout or batch norm would.")


def _left_early(name: str, seen: int) -> str:
    return f"{name} uses {seen} of {BATCHES} batches: is return, or break, indented into the loop?"


def _watched(subject: Subject) -> tuple[Subject, Watch]:
    work = subject.copy()
    set_lr(work.optimizer, peak_lr(work.optimizer))
    work.model.train()
    return work, Watch(work.model, work.optimizer)


def _weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def _call(function: Callable[..., Any], work: Subject, sample: Sample) -> Any:
    inputs, labels = (part.cpu().clone() for part in sample.first(BATCHES * BATCH))
    parts = {
        "model": work.model,
        "loader": DataLoader(TensorDataset(inputs, labels), batch_size=-(-len(inputs) // BATCHES)),
        "criterion": work.criterion,
        "optimizer": work.optimizer,
        "device": work.device,
        "epochs": 1,
    }
    return function(**arguments_for(function, parts))


def arguments_for(function: Callable[..., Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Which part goes to which parameter: by its name, and a name that says nothing by the lecture's order.

    Raises:
        RequestError: a parameter without a default is none of them.
    """
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind not in variadic]
    roles = {parameter.name: _role_of(parameter.name) for parameter in parameters}
    order = ["model", "loader", "criterion", "device"]
    if "optimizer" in roles.values() or len(parameters) > len(order):
        order.insert(3, "optimizer")
    chosen = {}
    for place, parameter in enumerate(parameters):
        role = roles[parameter.name]
        if role is None and parameter.default is inspect.Parameter.empty:
            free = place < len(order) and order[place] not in roles.values()
            role = order[place] if free else None
            if role is None:
                raise RequestError(
                    f"{_name_of(function)} asks for {parameter.name!r}, and nobody says what that is. Expected are "
                    "train(model, loader, criterion, optimizer, device) and evaluate(model, loader, criterion, "
                    "device), any of them; give other parameters a default."
                )
        if role is not None and (role != "epochs" or parameter.default is inspect.Parameter.empty):
            chosen[parameter.name] = parts[role]
    return chosen


def _role_of(name: str) -> str | None:
    lowered = name.lower()
    for role, names in ROLES.items():
        if lowered in names:
            return role
    # train_loader, val_loader, testloader, valid_dl
    return "loader" if lowered.endswith(("loader", "_dl")) else None


def _keeps_graph(returned: object) -> bool:
    if isinstance(returned, Tensor):
        return returned.requires_grad
    if isinstance(returned, dict):
        returned = tuple(returned.values())
    return isinstance(returned, (tuple, list)) and any(_keeps_graph(part) for part in returned)


def _name_of(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__name__', type(function).__name__)}()"


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}." if text else f"{type(error).__name__}."
