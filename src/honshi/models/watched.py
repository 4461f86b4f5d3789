"""Seeing what goes through the layers of a model, for as long as one looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from torch import nn

# A layer by its name, what comes in (a tuple) and what comes out.
Note: TypeAlias = Callable[[str, nn.Module, Any, Any], None]


@contextmanager
def watched(layers: Iterable[tuple[str, nn.Module]], note: Note) -> Iterator[None]:
    """Inside, ``note`` is called each time that one of the layers has computed; afterwards they are as they were.

    Args:
        layers: with the names by which they are told apart, as ``model.named_modules()`` gives them.
        note: what it gets belongs to the model, and it gives nothing back.
    """

    def see(name: str, layer: nn.Module, inputs: Any, output: Any) -> None:
        note(name, layer, inputs, output)

    handles = [layer.register_forward_hook(partial(see, name)) for name, layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def leaves(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers that have no layers inside them, by their names."""
    return [(name, layer) for name, layer in model.named_modules() if not any(layer.children())]
