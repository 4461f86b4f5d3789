"""Pretrained networks that see pictures for a head of our own: what there is, and how it gets its weights.

A backbone is a module from normalised images (b, c, h, w) to features (b, d) with its ``features``, d.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from honshi.models.backbones import hub, published
from honshi.pictures.contract import InputContract
from honshi.recipe.frozen import HUB


def build(name: str, config: dict[str, Any] | None = None) -> nn.Module:
    """A backbone with new weights.

    Args:
        name: as a recipe has it.
        config: of one from the Hugging Face Hub.

    Raises:
        ModelError: there is none of this name, or its library is not installed.
    """
    return hub.build(name, config or {}) if name.startswith(HUB) else published.build(name)


def pretrained(name: str, revision: str | None = None) -> tuple[nn.Module, dict[str, Any] | None]:
    """A backbone with the weights that it was published with.

    Returns:
        It, and the ``config`` that `build` takes; None where it needs none.

    Raises:
        ModelError: the weights are not installed, cannot be had, or are others than those that were published.
    """
    return hub.pretrained(name, revision) if name.startswith(HUB) else (published.pretrained(name), None)


def input_contract(name: str, revision: str | None = None) -> InputContract:
    """What a picture must become before a backbone may see it.

    Raises:
        ModelError: as `pretrained`.
    """
    return hub.input_contract(name, revision) if name.startswith(HUB) else published.input_contract(name)
