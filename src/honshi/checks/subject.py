"""What is checked: a model with its loss and optimizer. Every check works on copies of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from honshi.errors import ModelError
from honshi.evaluation.evaluate import Criterion
from honshi.runtime import device_of


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, its criterion and its optimizer.

    Attributes:
        optimizer: over the model's parameters, or over others by mistake.
    """

    model: nn.Module
    criterion: Criterion
    optimizer: Optimizer

    def copy(self) -> Self:
        """The same again, without gradients; the optimizer's copy is over the parameters of the model's copy.

        Raises:
            ModelError: it cannot be copied.
        """
        try:
            model, criterion, optimizer = copy.deepcopy((self.model, self.criterion, self.optimizer))
        except Exception as error:
            raise ModelError(
                f"The model cannot be copied ({type(error).__name__}: {error}), and the checks work on copies: keep "
                "no tensor with a gradient, open file or lock as an attribute of it."
            ) from error
        return replace(self, model=model, criterion=criterion, optimizer=optimizer)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return device_of(self.model)


def peak_lr(optimizer: Optimizer) -> float:
    """The learning rate that an optimizer was made with; its schedule may begin far below it."""
    group = optimizer.param_groups[0]
    return float(group.get("initial_lr", group["lr"]))


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Give an optimizer another learning rate; where it has several, they keep their proportions."""
    # All before any is set, because groups may share one tensor.
    rates = [float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        wanted = lr * rate / rates[0]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(wanted)
        else:
            group["lr"] = wanted
        group["initial_lr"] = wanted


def without_dropout(model: nn.Module) -> nn.Module:
    """The same model, whose dropout layers keep everything from now on."""
    for layer in model.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.p = 0.0
    return model


def names_of(model: nn.Module, chosen: set[int], limit: int = 4) -> str:
    """The names of the parameters whose ``id`` was chosen, at most so many of them."""
    names = [name for name, parameter in model.named_parameters() if id(parameter) in chosen]
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def leaves_of(loss: Tensor) -> Iterator[Tensor]:
    """The tensors that a loss would give a gradient to, found by walking its graph."""
    seen = set()
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            yield variable
        waiting.extend(following for following, _ in node.next_functions)
