"""What is checked: a model with its loss and optimizer. Every check works on copies of them.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import copy
import inspect
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from honshi.errors import ModelError
from honshi.evaluation.answers import Criterion
from honshi.messages import first_line
from honshi.runtime import device_of, threads


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
        memo: dict[int, Any] = {id(original): made for original, made in _not_copied_by_python(self.model)}
        try:
            model = copy.deepcopy(self.model, memo)
            memo |= {id(old): new for old, new in zip(self.model.parameters(), model.parameters(), strict=True)}
            criterion = copy.deepcopy(self.criterion, memo)
            optimizer = _copy_of_optimizer(self.optimizer, memo)
        except Exception as error:
            raise ModelError(
                "The model cannot be copied ({error}), and the checks work on copies: keep no open file, lock or "
                "generator as an attribute of it.",
                error=first_line(error),
            ) from error
        return replace(self, model=model, criterion=criterion, optimizer=optimizer)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return device_of(self.model)

    def loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch, with its graph."""
        threads.look()
        # A model may change what it is given in place.
        return self.criterion(self.model(inputs.clone()), labels)

    def step(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, float]:
        """Take one step of the optimizer.

        Args:
            inputs: (b, …)
            labels: (b, …)

        Returns:
            Logits (b, k) and loss of before the step.
        """
        before: list[tuple[Tensor, float]] = []
        threads.look()

        def compute() -> Tensor:
            outputs = self.model(inputs.clone())
            loss = self.criterion(outputs, labels)
            if not before:
                before.append((logits_in(outputs).detach(), loss.item()))
            self.optimizer.zero_grad()
            loss.backward()
            return loss

        if needs_closure(self.optimizer):
            self.optimizer.step(compute)  # type: ignore[arg-type]
        else:
            compute()
            self.optimizer.step()
        return before[0]


def needs_closure(optimizer: Optimizer) -> bool:
    """Whether a step asks for the loss again and again, as that of L-BFGS does."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def logits_in(outputs: Any) -> Tensor:
    """Of what a model gives in train mode its own answer: the first, where side branches answer as well (GoogLeNet)."""
    while isinstance(outputs, (tuple, list)):
        outputs = outputs[0]
    logits: Tensor = outputs
    return logits


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors in a value, also in lists, tuples and dicts in it."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def kept_graphs(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Tensors of a forward pass that a model keeps as attributes, ``("self.hidden", …)``."""
    for module in model.modules():
        for name, value in vars(module).items():
            if name not in ("_parameters", "_modules"):
                yield from ((f"self.{name}", tensor) for tensor in tensors_in(value) if not tensor.is_leaf)


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


def _not_copied_by_python(model: nn.Module) -> Iterator[tuple[object, object]]:
    """What `copy.deepcopy` refuses or gets wrong, each with a copy of it."""
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):
            yield module, _copy_of_compiled(module)
            if module is model:
                return
    for buffer in model.buffers():
        if isinstance(buffer, nn.parameter.UninitializedBuffer):
            yield buffer, nn.parameter.UninitializedBuffer(device=buffer.device, dtype=buffer.dtype)  # type: ignore[call-arg]
    for _, tensor in kept_graphs(model):
        yield tensor, tensor.detach().clone()


def _copy_of_compiled(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """A copy by deepcopy would have parameters that are results of the first one's."""
    file = io.BytesIO()
    torch.jit.save(module, file)
    file.seek(0)
    copied: torch.jit.ScriptModule = torch.jit.load(file, map_location=device_of(module))
    return copied


def _copy_of_optimizer(optimizer: Optimizer, memo: dict[int, Any]) -> Optimizer:
    copied = copy.deepcopy(optimizer, memo)
    # An optimizer is copied by what all of them have, and L-BFGS has more.
    for name, value in vars(optimizer).items():
        if name not in vars(copied) and not callable(value):
            setattr(copied, name, copy.deepcopy(value, memo))
    return copied
