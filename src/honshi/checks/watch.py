"""What happens to a model and an optimizer while a function of the user's own uses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


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


Event: TypeAlias = Forward | Backward | Step


@dataclass
class Watch:
    """What happens to a model and an optimizer, in order.

    Attributes:
        events: what happened.
        stale: whether gradients of before a step were still there when those of after it arrived.
    """

    model: nn.Module
    optimizer: Optimizer
    events: list[Event] = field(default_factory=list)
    stale: bool = False

    def __post_init__(self) -> None:
        self._arrived: set[int] = set()
        self._stepped: set[int] = set()
        self._incoming: dict[int, Tensor] = {}
        self.model.register_forward_pre_hook(self._on_forward)
        self.optimizer.register_step_pre_hook(self._before_step)
        self.optimizer.register_step_post_hook(self._after_step)
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

    def _before_step(self, _optimizer: Optimizer, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        if not _has_closure(arguments, options):
            self._note_step()

    def _after_step(self, _optimizer: Optimizer, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        # A closure computes the gradients inside the step.
        if _has_closure(arguments, options):
            self._note_step()

    def _note_step(self) -> None:
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        self.events.append(Step(any(bool(gradient.any()) for gradient in gradients)))
        self._arrived.clear()
        self._stepped = {id(parameter) for parameter in self.model.parameters()}


def _has_closure(arguments: tuple[Any, ...], options: dict[str, Any]) -> bool:
    # The first argument is the optimizer itself.
    return any(callable(argument) for argument in (*arguments[1:], *options.values()))
