from __future__ import annotations

import pytest
import torch
from torch import nn

from honshi.models.modes import evaluating


def test_inside_everything_is_in_eval_mode_and_without_gradients() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())

    with evaluating(model):
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()


def test_afterwards_a_frozen_layer_is_still_frozen() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model[1].eval()

    with evaluating(model):
        pass

    assert [module.training for module in (model, model[0], model[1])] == [True, True, False]


def test_an_error_inside_restores_the_modes_too() -> None:
    model = nn.Dropout()

    with pytest.raises(RuntimeError), evaluating(model):
        raise RuntimeError

    assert model.training
