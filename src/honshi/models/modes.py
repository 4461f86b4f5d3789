"""The modes of a model's layers: training it, and looking at it without changing it, also from several threads at once.

The mode is kept on the layers themselves, which all threads share. So evaluations that need another one than a layer
is in count themselves: the first switches it, the last switches it back. A model that one thread trains is scored by
the others as a copy.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from honshi.errors import ModelError

# Of what is below, and where an evaluation is over. An own `eval` of a model may come here again.
_lock = threading.RLock()
_state = threading.Condition(_lock)
# Evaluations that go on: which thread looks at which model.
_going_on: dict[object, tuple[int, nn.Module]] = {}
# How many evaluations look at a layer, and whether it was in training mode before the first, by the layer's id.
_evaluated: dict[int, tuple[int, bool]] = {}
# Which thread trains a layer, by the layer's id.
_trained_by: dict[int, int] = {}


class evaluating:  # noqa: N801 - a context manager, written as a class because one of a generator takes twice as long
    """``with evaluating(model) as scored:`` is the model to ask, in eval mode and without gradients.

    Afterwards every layer is in the mode that it was in: each by itself, because a model may be in training mode with
    some of its layers frozen.

    Raises:
        ModelError: another thread trains the model, and it cannot be copied.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._switched: list[nn.Module] = []
        self._no_grad = torch.no_grad()

    def __enter__(self) -> nn.Module:
        with _lock:
            elsewhere = _is_trained_elsewhere(self._model)
            if not elsewhere:
                _going_on[self] = threading.get_ident(), self._model
                self._switched = _switch(self._model)
        scored = _copied(self._model) if elsewhere else self._model
        self._no_grad.__enter__()
        return scored

    def __exit__(self, *_: object) -> None:
        self._no_grad.__exit__(None, None, None)
        with _state:
            for layer in self._switched:
                _switch_back(layer)
            _going_on.pop(self, None)
            _state.notify_all()


@contextmanager
def being_trained(model: nn.Module) -> Iterator[None]:
    """Inside, this thread trains the model, and nobody else switches the mode of its layers.

    It begins when the evaluations by other threads that go on are over.

    Raises:
        ModelError: another thread trains it already.
    """
    layers = list(model.modules())
    with _state:
        if _is_trained_elsewhere(model):
            raise ModelError("The model is trained by another thread already: wait until that is over.")
        # Those of a training within a training stay marked until the outer one ends.
        marked = [layer for layer in layers if id(layer) not in _trained_by]
        _trained_by.update((id(layer), threading.get_ident()) for layer in marked)
    try:
        with _state:
            _state.wait_for(lambda: not _is_evaluated_elsewhere(layers))
        yield
    finally:
        with _state:
            for layer in marked:
                _trained_by.pop(id(layer), None)
                # The mode in which the training leaves it is the one in which it stays.
                _evaluated.pop(id(layer), None)


def _switch(model: nn.Module) -> list[nn.Module]:
    """The layers that stay in eval mode for as long as this evaluation goes on."""
    trains = _trains(model)
    # Where all are in it already, as for one prediction after the other, there is nothing to do.
    if not trains and not _evaluated:
        return []
    layers = list(model.modules())
    for layer in layers:
        others, before = _evaluated.get(id(layer), (0, layer.training))
        _evaluated[id(layer)] = others + 1, before
    if trains:
        model.eval()
    return layers


def _switch_back(layer: nn.Module) -> None:
    if id(layer) not in _evaluated:  # it was trained meanwhile
        return
    evaluations, before = _evaluated.pop(id(layer))
    if evaluations > 1:
        _evaluated[id(layer)] = evaluations - 1, before
    else:
        layer.training = before


def _is_trained_elsewhere(model: nn.Module) -> bool:
    here = threading.get_ident()
    return bool(_trained_by) and any(_trained_by.get(id(layer), here) != here for layer in model.modules())


def _is_evaluated_elsewhere(layers: list[nn.Module]) -> bool:
    here, ids = threading.get_ident(), set(map(id, layers))
    others = [model for thread, model in _going_on.values() if thread != here]
    return any(id(layer) in ids for model in others for layer in model.modules())


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model).eval()
    except Exception as error:
        raise ModelError(
            "The model is trained by another thread, and no copy of it can be made to be scored meanwhile ({error}). "
            "Wait until the training is over.",
            error=error,
        ) from error


def train_mode(model: nn.Module) -> None:
    """Training mode, as ``model.train()``; a model that is in it keeps the layers that its owner put in eval mode.

    So ``model.train(); model.norm.eval()`` freezes a batch norm for the training that follows.
    """
    if not model.training:
        model.train()


class Modes:
    """Training mode that leaves alone what its owner has frozen: layers in eval mode of a model in training mode."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.frozen = [module for module in model.modules() if not module.training] if model.training else []

    def train(self) -> None:
        """Training mode for all but these."""
        self.model.train()
        for module in self.frozen:
            module.training = False


def _trains(module: nn.Module) -> bool:
    """Whether it or a layer below it is in training mode; for one image `modules()` would take a tenth of the time."""
    if module.training:
        return True
    for child in module._modules.values():  # noqa: SIM110 - `any` of a generator takes twice as long
        if child is not None and _trains(child):
            return True
    return False


def full_precision(numbers: Tensor) -> Tensor:
    """What was computed with 16 bits as float32, all else as it is: a loss, or a variance, needs more than 3 digits."""
    return numbers.float() if numbers.dtype in (torch.bfloat16, torch.float16) else numbers
