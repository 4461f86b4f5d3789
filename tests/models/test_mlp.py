from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from honshi import models
from honshi.models import MLP, parameter_count
from honshi.recipe import MLPOptions


def layer(model: nn.Module, name: str) -> nn.Module:
    return model.get_submodule(name)


def test_the_defaults_are_the_lectures_network_of_109386_parameters() -> None:
    assert parameter_count(MLP()) == 109_386


def test_printing_it_reads_like_the_lectures_slide() -> None:
    assert str(MLP()) == (
        "MLP(\n"
        "  (layer1): Linear(in_features=784, out_features=128, bias=True)\n"
        "  (layer2): Linear(in_features=128, out_features=64, bias=True)\n"
        "  (layer3): Linear(in_features=64, out_features=10, bias=True)\n"
        ")"
    )


def test_it_computes_what_the_lecture_writes_out() -> None:
    model, images = MLP(), torch.randn(7, 1, 28, 28)

    x = images.view(-1, 28 * 28)
    x = torch.relu(layer(model, "layer1")(x))
    x = torch.relu(layer(model, "layer2")(x))
    expected = layer(model, "layer3")(x)

    assert torch.equal(model(images), expected)


@settings(max_examples=40)
@given(hidden=st.lists(st.integers(1, 12), max_size=4), batch_norm=st.booleans(), dropout=st.sampled_from([0.0, 0.5]))
def test_any_hidden_sizes_lead_from_images_to_logits(hidden: list[int], batch_norm: bool, dropout: float) -> None:
    model = MLP(12, hidden, 3, batch_norm=batch_norm, dropout=dropout)

    assert model(torch.randn(2, 3, 2, 2)).shape == (2, 3)


@given(hidden=st.lists(st.integers(1, 12), max_size=4))
def test_the_parameters_are_the_weights_and_biases_between_consecutive_sizes(hidden: list[int]) -> None:
    sizes = [12, *hidden, 3]

    expected = sum(before * after + after for before, after in pairwise(sizes))

    assert parameter_count(MLP(12, hidden, 3)) == expected


def test_without_hidden_layers_it_is_a_linear_classifier() -> None:
    model, images = MLP(4, (), 3), torch.randn(5, 4)

    linear = layer(model, "layer1")

    assert torch.equal(model(images), linear(images))


def test_flat_images_are_taken_like_those_with_rows_and_columns() -> None:
    model, images = MLP(), torch.randn(3, 1, 28, 28)

    assert torch.equal(model(images.flatten(1)), model(images))


def test_batch_norm_stands_before_the_activation() -> None:
    model, images = MLP(4, (6,), 3, batch_norm=True), torch.randn(8, 4)

    normalised = layer(model, "norm1").train()(layer(model, "layer1")(images))
    expected = layer(model, "layer2")(torch.relu(normalised))

    assert torch.equal(model.train()(images), expected)


def test_batch_norm_is_on_every_hidden_layer_and_not_on_the_logits() -> None:
    model = MLP(4, (6, 5), 3, batch_norm=True)

    sizes = {name: module.num_features for name, module in model.named_modules() if isinstance(module, nn.BatchNorm1d)}

    assert sizes == {"norm1": 6, "norm2": 5}


def test_dropout_drops_activations_of_hidden_layers_in_training() -> None:
    torch.manual_seed(0)
    model = MLP(4, (1000,), 1, dropout=0.3)
    seen: list[Tensor] = []
    layer(model, "layer2").register_forward_hook(lambda _layer, inputs, _output: seen.append(inputs[0]))
    with torch.no_grad():
        layer(model, "layer1").get_parameter("bias").fill_(100.0)  # so that no activation is 0 by itself

    model.train()(torch.zeros(1, 4))

    assert (seen[0] == 0).double().mean().item() == pytest.approx(0.3, abs=0.06)


def test_dropout_does_nothing_in_eval_mode() -> None:
    model, images = MLP(4, (50,), 3, dropout=0.9).eval(), torch.randn(2, 4)

    assert torch.equal(model(images), model(images))


def test_a_recipe_builds_it_for_the_shape_of_the_images() -> None:
    options = MLPOptions(hidden=(7,), dropout=0.2, batch_norm=True)

    model = models.build(options, (3, 4, 5), classes=6)

    assert isinstance(model, MLP)
    assert model.architecture == {
        "inputs": 60,
        "hidden": [7],
        "classes": 6,
        "dropout": 0.2,
        "batch_norm": True,
    }
