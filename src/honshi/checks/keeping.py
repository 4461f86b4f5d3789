"""Whatever is tried, everything of the user's is afterwards what it was.

The checks work on copies; but a loss may look at the model itself (L1, L2), and a function of the user's own at
anything that it knows by name.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@contextmanager
def kept(*parts: object) -> Iterator[None]:
    """Keep models, losses and optimizers as they are: numbers, gradients, modes, attributes, hooks, random state.

    Within the block they have no gradients, so that what is added to one is added to nobody's.
    """
    memory = _Memory()
    for part in parts:
        memory.note(part)
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        memory.restore()
        random.setstate(python)
        np.random.set_state(numpy)


class _Memory:
    """How things were, and how to restore them."""

    def __init__(self) -> None:
        # With the values themselves, so that no other object gets the id of one.
        self._seen: dict[int, object] = {}
        self._restorers: list[Callable[[], object]] = []

    def restore(self) -> None:
        with torch.no_grad():
            for restore in self._restorers:
                restore()

    def note(self, value: object) -> None:
        """Remember a value and what it holds; of what is neither a part of torch nor a container, nothing."""
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        match value:
            case Tensor():
                self._note_tensor(value)
            case torch.jit.ScriptModule():
                self._note_all([*value.parameters(), *value.buffers()])
            case nn.Module() | Optimizer():
                self.note(vars(value))
            case dict():
                self._note_dict(value)
            case list():
                self._note_list(value)
            case tuple():
                self._note_all(value)
            case _:
                pass

    def _note_all(self, values: list[object] | tuple[object, ...]) -> None:
        for value in values:
            self.note(value)

    def _note_dict(self, value: dict[object, object]) -> None:
        before = dict(value)

        def restore() -> None:
            value.clear()
            value.update(before)

        self._restorers.append(restore)
        self._note_all(list(before.values()))

    def _note_list(self, value: list[object]) -> None:
        before = list(value)

        def restore() -> None:
            value[:] = before

        self._restorers.append(restore)
        self._note_all(before)

    def _note_tensor(self, tensor: Tensor) -> None:
        if nn.parameter.is_lazy(tensor):
            return
        numbers, leaf = tensor.detach().clone(), tensor.is_leaf
        learns, gradient = tensor.requires_grad, tensor.grad if leaf else None
        if leaf:
            tensor.grad = None

        def restore() -> None:
            if not torch.equal(tensor, numbers):
                tensor.copy_(numbers)
            if leaf:
                tensor.requires_grad_(learns)
                tensor.grad = gradient

        self._restorers.append(restore)
