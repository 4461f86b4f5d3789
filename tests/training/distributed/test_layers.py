from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from honshi.models import CNN, Ensemble
from honshi.native.layers import compiled_layers
from honshi.training.distributed import ALONE, World, shared_layers


def model() -> CNN:
    torch.manual_seed(0)
    return CNN(1, (8, 16), 10, residual=(0, 1))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many numbers the processes were asked to add up, each time."""
    asked: list[int] = []
    monkeypatch.setattr(World, "add_up", lambda self, tensor: asked.append(tensor.numel()))
    return asked


def test_batch_norm_asks_all_processes(asked: list[int]) -> None:
    cnn = model()

    with shared_layers(cnn, World(0, 2)), compiled_layers(cnn):
        cnn(torch.randn(4, 1, 12, 12))

    # Sums, sums of squares and the number of values, of 8, 16 and 16 channels.
    assert asked == [17, 33, 33]


def test_alone_it_asks_nobody(asked: list[int]) -> None:
    cnn = model()

    with shared_layers(cnn, ALONE):
        cnn(torch.randn(4, 1, 12, 12))

    assert not asked


def test_outside_the_layers_are_what_they_were() -> None:
    cnn = model()
    before = {name: set(vars(module)) for name, module in cnn.named_modules()}

    with pytest.raises(ValueError, match="within"), shared_layers(cnn, World(0, 2)):
        raise ValueError("within")

    assert {name: set(vars(module)) for name, module in cnn.named_modules()} == before


def test_a_forward_that_somebody_has_given_a_layer_stays() -> None:
    stage = nn.Sequential(nn.BatchNorm2d(8))

    def given(features: Tensor) -> Tensor:
        return features

    stage[0].forward = given

    with shared_layers(stage, World(0, 2)):
        assert stage[0].forward is given
    assert stage[0].forward is given


def test_all_members_of_an_ensemble_take_part_in_each_step_of_several_processes() -> None:
    ensemble = Ensemble([model(), model()])

    with shared_layers(ensemble, World(0, 2)):
        assert ensemble.smallest_share == 0
    assert ensemble.smallest_share == copy.deepcopy(ensemble).smallest_share == Ensemble.smallest_share
