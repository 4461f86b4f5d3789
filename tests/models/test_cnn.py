from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from honshi import models
from honshi.models import CNN, layer_table
from honshi.recipe import CNNOptions


@pytest.mark.parametrize(
    "shape",
    [(1, 28, 28), (3, 32, 32), (3, 33, 47), (1, 1, 1), (1, 5, 90)],
    ids=["mnist", "colour", "odd", "one pixel", "a strip"],
)
def test_images_of_any_size_become_logits(shape: tuple[int, int, int]) -> None:
    model = CNN(shape[0], classes=7)

    assert model.eval()(torch.randn(2, *shape)).shape == (2, 7)


@settings(max_examples=25)
@given(widths=st.lists(st.integers(1, 6), min_size=1, max_size=4), height=st.integers(1, 20), width=st.integers(1, 20))
def test_any_widths_lead_from_images_to_logits(widths: list[int], height: int, width: int) -> None:
    model = CNN(1, widths, 3).eval()

    assert model(torch.randn(2, 1, height, width)).shape == (2, 3)


def test_each_stage_halves_the_image_and_has_its_width_of_channels() -> None:
    stages = [layer.output for layer in layer_table(CNN(1, (4, 8, 16)), (1, 28, 28)) if layer.kind == "ReLU"]

    assert stages == [(4, 14, 14), (8, 7, 7), (16, 4, 4)]


def test_its_parameters_are_filters_norms_and_the_last_layer() -> None:
    filters = 16 * 1 * 9 + 32 * 16 * 9 + 64 * 32 * 9
    norms = 2 * (16 + 32 + 64)
    last = 64 * 10 + 10

    assert models.parameter_count(CNN()) == filters + norms + last


def test_pooling_before_the_activation_gives_what_the_usual_order_gives() -> None:
    model = CNN(1, (4,), 3).eval()
    stage = model.stages.get_submodule("stage1")
    images = torch.randn(2, 1, 8, 8)
    norm = stage.get_submodule("2")
    with torch.no_grad():
        norm.get_buffer("running_mean").normal_()
        norm.get_buffer("running_var").uniform_(0.5, 2.0)

    activated = torch.relu(norm(stage.get_submodule("0")(images)))
    usual = nn.functional.max_pool2d(activated, 2)

    torch.testing.assert_close(stage(images), usual)


def test_dropout_acts_in_training_and_not_in_eval_mode() -> None:
    model = CNN(1, (8,), 3, dropout=0.5)
    images = torch.randn(4, 1, 8, 8)

    model.train()
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


def test_a_recipe_builds_it_for_the_channels_of_the_images() -> None:
    model = models.build(CNNOptions(widths=(3, 5), dropout=0.1), (3, 32, 32), classes=4)

    assert isinstance(model, CNN)
    assert model.architecture == {"kind": "cnn", "channels": 3, "widths": [3, 5], "classes": 4, "dropout": 0.1}
