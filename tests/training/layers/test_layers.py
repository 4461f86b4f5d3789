from __future__ import annotations

import copy
from typing import Literal

import pytest
import torch
from torch import nn

import honshi
from honshi.models import CNN, Ensemble
from honshi.training.distributed import ALONE, World
from honshi.training.layers import training_layers


def model() -> CNN:
    torch.manual_seed(0)
    return CNN(1, (8, 16), 10, residual=(0, 1))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_has_the_losses_of_torchs_layers(
    precision: Literal["float32", "bfloat16"], mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    for _ in range(2):
        cnn = model()
        optimizer = torch.optim.SGD(cnn.parameters(), lr=0.05)
        images = mnist.train.subset(range(300))
        result = honshi.fit(
            cnn, nn.CrossEntropyLoss(), optimizer, images, images, epochs=2, batch_size=32, precision=precision
        )
        losses.append([row.train_loss for row in result.history])
        monkeypatch.setattr("honshi.training.layers.max_pool.kernels", lambda: None)

    ours, theirs = losses
    assert ours == pytest.approx(theirs, rel=1e-5)


def names_of_gradients(cnn: nn.Module) -> set[str]:
    """What computes them, from the outputs to the images."""
    names: set[str] = set()
    waiting = [cnn(torch.randn(4, 1, 12, 12)).grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None:
            names.add(type(node).__name__)
            waiting += [before for before, _ in node.next_functions]
    return names


def test_alone_the_pooling_is_compiled_and_batch_norm_is_torchs() -> None:
    cnn = model()
    with training_layers(cnn, ALONE):
        inside = names_of_gradients(cnn)
    outside = names_of_gradients(cnn)

    assert {"_MaxPoolBackward", "NativeBatchNormBackward0"} <= inside
    assert {"MaxPool2DWithIndicesBackward0", "NativeBatchNormBackward0"} <= outside
    assert not {"_MaxPoolBackward", "_NormaliseBackward"} & outside


def test_among_several_processes_batch_norm_asks_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(World, "add_up", lambda self, tensor: asked.append(tensor.numel()))
    cnn = model()

    with training_layers(cnn, World(0, 2)):
        assert "_NormaliseBackward" in names_of_gradients(cnn)

    # Sums, sums of squares and the number of values, of 8, 16 and 16 channels.
    assert asked == [17, 33, 33]


def test_outside_the_layers_are_what_they_were() -> None:
    cnn = model()
    before = {name: set(vars(module)) for name, module in cnn.named_modules()}

    with pytest.raises(ValueError, match="within"), training_layers(cnn, World(0, 2)):
        raise ValueError("within")

    assert {name: set(vars(module)) for name, module in cnn.named_modules()} == before


def test_a_forward_that_somebody_has_given_a_layer_stays() -> None:
    model = nn.Sequential(nn.MaxPool2d(2))
    given = model[0].forward = nn.MaxPool2d(2).forward

    with training_layers(model, ALONE):
        assert model[0].forward is given
    assert model[0].forward is given


def test_all_members_of_an_ensemble_take_part_in_each_step_of_several_processes() -> None:
    ensemble = Ensemble([model(), model()])

    with training_layers(ensemble, World(0, 2)):
        assert ensemble.smallest_share == 0
    assert ensemble.smallest_share == copy.deepcopy(ensemble).smallest_share == Ensemble.smallest_share
