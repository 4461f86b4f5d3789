"""The average of the weights along the way, which is often a better model than any one place on it.

Gradient descent jumps about the place that it is heading for; the mean of many steps lies closer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from honshi.data.batches import Batch
from honshi.errors import ArgumentError


class Averaging:
    """An exponential or an even average of a model's weights, updated after every step.

    1. EMA: each step the average moves by 1 - ``ema`` of the way to the weights; over the first steps, which
       are poor ones, by more: at step n it keeps no more than (1 + n) / (10 + n) of what it was. Statistics
       of batch norm are averaged with the weights.
    2. SWA (Izmailov et al., "Averaging weights leads to wider optima", 2018): the mean over the last part of
       all steps. Such a mean may lie far from each of its weights, so statistics of batch norm are
       measured anew, on the training data.
    """

    def __init__(self, *, ema: float | None = None, swa: float | None = None) -> None:
        """
        Args:
            ema: how much of the average stays at each step, within (0, 1): 0.99 reaches back about 100 steps.
            swa: the last part of all steps over which the mean goes, within (0, 1].

        Raises:
            ArgumentError: both are given, or neither; or one outside its range.
        """
        if (ema is None) == (swa is None):
            raise ArgumentError("Averaging is by ema or by swa: give one of them.")
        if ema is not None and not (_is_number(ema) and 0 < ema < 1):
            raise ArgumentError("ema lies between 0 and 1, as 0.99, not {value!r}.", value=ema)
        if swa is not None and not (_is_number(swa) and 0 < swa <= 1):
            raise ArgumentError("swa is the last part of all steps, above 0 and at most 1, not {value!r}.", value=swa)
        self.ema = ema
        self.swa = swa
        self.steps = 0
        self.first = 0
        # As the model's state dict, without counts, which have no average; and the model's own, in this order.
        self.averages: dict[str, Tensor] = {}
        self.weights: list[Tensor] = []

    def begin(self, model: nn.Module, steps: int | None) -> None:
        """Watch a model, which has so many steps before it. Its weights must stay where they are in memory.

        Args:
            steps: None where nobody knows, as of a stream.

        Raises:
            ArgumentError: it is not known, and the last part of them is asked for.
        """
        if steps is None:
            if self.swa is not None:
                raise ArgumentError("Averaging(swa=…) needs to know how many mini-batches the data give: use ema.")
            steps = 0
        self.steps = 0
        self.first = steps - max(1, round(self.swa * steps)) if self.swa is not None else 0
        watched = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
        self.averages = {name: tensor.detach().clone() for name, tensor in watched.items()}
        self.weights = [tensor.detach() for tensor in watched.values()]

    @torch.no_grad()
    def note_step(self) -> None:
        """Take the weights after a step into the average."""
        self.steps += 1
        averaged = self.steps - self.first
        if averaged < 1:
            return
        share = 1 / averaged if self.ema is None else 1 - min(self.ema, (1 + averaged) / (10 + averaged))
        # One call for all of them, as torch's own AveragedModel does, whose grouping of the tensors at every
        # step would take longer than a step of a small network.
        torch._foreach_lerp_(list(self.averages.values()), self.weights, share)

    @contextmanager
    def applied(self, model: nn.Module, batches: Iterable[Batch]) -> Iterator[None]:
        """The model with the averaged weights; afterwards it has its own ones back.

        Before there is an average, it keeps its own.

        Args:
            batches: of the training data, without augmentation, on which batch norm is measured anew.
        """
        if self.steps <= self.first:
            yield
            return
        own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        try:
            model.load_state_dict(self.averages, strict=False)
            if self.swa is not None:
                update_bn(batches, model)
            yield
        finally:
            model.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "averages": self.averages}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave, after `begin` with the same model.

        Raises:
            KeyError, ValueError, RuntimeError: it is of another model.
        """
        if state["averages"].keys() != self.averages.keys():
            raise ValueError("its averages are those of another model.")
        self.steps = int(state["steps"])
        for name, average in self.averages.items():
            average.copy_(state["averages"][name])


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
