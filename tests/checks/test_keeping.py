from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from honshi.checks.keeping import kept


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model.seen = [1]  # type: ignore[assignment]
    return model


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()


def numbers(model: nn.Sequential) -> list[Tensor]:
    return [tensor.clone() for tensor in model.state_dict().values()]


def test_weights_statistics_and_momenta_come_back(model: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step(model, optimizer)
    before, momenta = numbers(model), repr(optimizer.state_dict())

    with kept(model, optimizer):
        optimizer.param_groups[0]["lr"] = 7
        step(model, optimizer)
        assert not all(map(torch.equal, numbers(model), before))

    assert all(map(torch.equal, numbers(model), before))
    assert repr(optimizer.state_dict()) == momenta


@pytest.mark.parametrize("begun", [False, True])
def test_gradients_are_the_same_objects_or_none_again(begun: bool, model: nn.Sequential) -> None:
    if begun:
        model(torch.randn(5, 3)).sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    values = [None if gradient is None else gradient.clone() for gradient in gradients]

    with kept(model):
        model(torch.randn(5, 3)).sum().backward()

    for parameter, gradient, value in zip(model.parameters(), gradients, values, strict=True):
        assert parameter.grad is gradient
        assert value is None or torch.equal(gradient, value)  # type: ignore[arg-type]


def test_modes_attributes_layers_and_hooks_come_back(model: nn.Sequential) -> None:
    first, seen = model[0], model.seen

    with kept(model):
        model.eval()
        model.hidden = torch.ones(2)
        seen.append(2)  # type: ignore[union-attr, operator]
        model[0] = nn.Linear(3, 4)
        first.requires_grad_(False)
        first.register_forward_hook(lambda *_: None)

    assert model.training
    assert not hasattr(model, "hidden")
    assert model.seen == [1]
    assert model[0] is first
    assert first.weight.requires_grad
    assert not first._forward_hooks


def test_everything_comes_back_after_an_error_too(model: nn.Sequential) -> None:
    states = random.getstate(), np.random.get_state(legacy=False)

    def stumble() -> None:
        model.eval()
        random.random()
        np.random.rand()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), kept(model):
        stumble()

    assert model.training
    assert (random.getstate(), str(np.random.get_state(legacy=False))) == (states[0], str(states[1]))
