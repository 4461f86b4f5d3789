from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from honshi.models.watched import leaves, watched


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))


def test_what_goes_through_each_layer_is_seen_in_the_order_of_use_and_only_inside() -> None:
    model, seen = network(), []

    def note(name: str, layer: nn.Module, inputs: Any, output: Any) -> None:
        seen.append((name, type(layer).__name__, tuple(inputs[0].shape), tuple(output.shape)))

    with watched(leaves(model), note):
        inside = model(torch.ones(5, 3))

    assert seen == [
        ("0", "Linear", (5, 3), (5, 4)),
        ("1.0", "ReLU", (5, 4), (5, 4)),
        ("1.1", "Linear", (5, 4), (5, 2)),
    ]
    assert torch.equal(model(torch.ones(5, 3)), inside)
    assert len(seen) == 3


def test_layers_are_as_they_were_also_where_the_model_fails() -> None:
    model = network()

    with pytest.raises(RuntimeError, match="shape"), watched(leaves(model), lambda *_: None):
        model(torch.ones(5, 7))

    assert not any(layer._forward_hooks for layer in model.modules())
