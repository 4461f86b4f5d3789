"""The multi-layer perceptron of the lecture: its options, and what it can."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from honshi.recipe.model import WithDropout, register
from honshi.recipe.options import Changes, Count, Flag
from honshi.recipe.ranges import Entry, Sizes


@register
class MLPOptions(WithDropout):
    """``hidden``: the sizes of the hidden layers."""

    network = "honshi.models.mlp:MLP"

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[Count, ...] = (128, 64)
    batch_norm: Flag = False

    def arguments(self, shape: tuple[int, int, int], classes: int) -> dict[str, Any]:
        return {
            "inputs": math.prod(shape),
            "hidden": list(self.hidden),
            "classes": classes,
            "dropout": self.dropout,
            "batch_norm": self.batch_norm,
        }

    def needs_two_images(self, shape: tuple[int, int, int]) -> bool:
        return self.batch_norm and bool(self.hidden)

    def resized(self, factor: float) -> Changes | None:
        if factor > 1 and max(self.hidden, default=0) < 32:
            return {"model.hidden": [128, 64]}
        if not self.hidden or min(self.hidden) * factor < 8:
            return None
        return {"model.hidden": [int(size * factor) for size in self.hidden]}

    def with_batch_norm(self) -> Changes | None:
        return None if self.batch_norm else {"model.batch_norm": True}

    def search_space(self) -> Mapping[str, Entry]:
        widest = max(512, *self.hidden, 0)
        return {"model.hidden": Sizes(layers=(1, 3), low=32, high=widest, log=True), **super().search_space()}
