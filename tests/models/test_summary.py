from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from honshi.models import CNN, MLP, Layer, layer_table, parameter_count


def test_the_table_of_the_lectures_network() -> None:
    assert layer_table(MLP(), (1, 28, 28)) == [
        Layer("layer1", "Linear", (128,), 784 * 128 + 128),
        Layer("layer2", "Linear", (64,), 128 * 64 + 64),
        Layer("layer3", "Linear", (10,), 64 * 10 + 10),
    ]


def test_the_table_of_a_stage_names_its_layers_and_their_shapes() -> None:
    assert layer_table(CNN(3, (8,), 10), (3, 5, 9)) == [
        Layer("stages.stage1.0", "Conv2d", (8, 5, 9), 8 * 3 * 9),
        Layer("stages.stage1.1", "MaxPool2d", (8, 3, 5), 0),
        Layer("stages.stage1.2", "BatchNorm2d", (8, 3, 5), 16),
        Layer("stages.stage1.3", "ReLU", (8, 3, 5), 0),
        Layer("pool", "GlobalAveragePool", (8,), 0),
        Layer("dropout", "Dropout", (8,), 0),
        Layer("classifier", "Linear", (10,), 90),
    ]


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (MLP(), (1, 28, 28)),
        (MLP(12, (5, 4), 3, batch_norm=True, dropout=0.5), (3, 2, 2)),
        (CNN(3, (4, 6), 10), (3, 32, 32)),
    ],
    ids=["mlp", "mlp with norms", "cnn"],
)
def test_the_lines_add_up_to_all_parameters(model: nn.Module, shape: tuple[int, ...]) -> None:
    assert sum(layer.parameters for layer in layer_table(model, shape)) == parameter_count(model)


def test_a_model_without_layers_inside_is_its_own_line() -> None:
    assert layer_table(nn.Linear(4, 2), (4,)) == [Layer("", "Linear", (2,), 10)]


def test_layers_come_in_the_order_of_use_and_as_often_as_they_are_used() -> None:
    class BackToFront(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(3, 3)
            self.first = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.last(self.last(self.first(x)))
            return outputs

    assert [layer.name for layer in layer_table(BackToFront(), (4,))] == ["first", "last", "last"]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_in_the_mode_it_was_in(training: bool) -> None:
    model = CNN().train(training)

    layer_table(model, (1, 28, 28))

    assert {module.training for module in model.modules()} == {training}


def test_no_hook_is_left_behind() -> None:
    model = CNN()

    layer_table(model, (1, 28, 28))

    assert not any(module._forward_hooks for module in model.modules())


def test_no_hook_is_left_behind_where_the_shape_does_not_fit() -> None:
    model = MLP().train()

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer_table(model, (1, 27, 27))

    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_batch_norm_learns_nothing_from_the_blank_image() -> None:
    model = CNN().train()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}

    layer_table(model, (1, 28, 28))

    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


def test_frozen_parameters_are_not_counted_as_learnable() -> None:
    model = MLP()
    model.get_submodule("layer1").requires_grad_(False)

    assert parameter_count(model) == 128 * 64 + 64 + 64 * 10 + 10
