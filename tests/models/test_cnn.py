from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from honshi import models
from honshi.errors import RecipeError
from honshi.models import CNN, layer_table
from honshi.models.cnn import GlobalAveragePool
from honshi.recipe import CNNOptions, Recipe


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


def test_a_strided_stem_halves_the_image_without_padding() -> None:
    stages = [layer.output for layer in layer_table(CNN(1, (4, 8), stem="stride"), (1, 28, 28)) if layer.kind == "ReLU"]

    assert stages == [(4, 12, 12), (8, 6, 6)]


def test_a_strided_stem_says_that_an_image_is_too_small_for_it() -> None:
    with pytest.raises(RecipeError, match=r'model\.stem "stride" needs images of at least 5×5 pixels, these are 4×9'):
        models.build(CNNOptions(stem="stride"), (1, 4, 9), 3)


def test_a_residual_layer_adds_to_what_it_is_given() -> None:
    plain, residual = CNN(1, (4,), 3).eval(), CNN(1, (4,), 3, residual=(2,)).eval()
    residual.load_state_dict(plain.state_dict(), strict=False)
    with torch.no_grad():
        for name, parameter in residual.named_parameters():
            if name.endswith("norm.weight"):
                parameter.zero_()  # f(x) is 0 then, and x is left
    images = torch.randn(2, 1, 8, 8)

    torch.testing.assert_close(residual(images), plain(images))


def test_residual_layers_cost_a_filter_bank_and_a_norm_each() -> None:
    added = models.parameter_count(CNN(1, (4, 8), 3, residual=(0, 2))) - models.parameter_count(CNN(1, (4, 8), 3))

    assert added == 2 * (8 * 8 * 9 + 2 * 8)


def test_residual_layers_are_given_for_every_stage_or_none() -> None:
    with pytest.raises(RecipeError, match=r"residual has a number for each of the 3 stages"):
        Recipe.from_dict({"model": {"kind": "cnn", "widths": [4, 8, 16], "residual": [1, 1]}})


def test_a_recipe_builds_it_for_the_channels_of_the_images() -> None:
    options = CNNOptions(widths=(3, 5), residual=(0, 1), stem="stride", dropout=0.1)

    model = models.build(options, (3, 32, 32), classes=4)

    assert isinstance(model, CNN)
    assert model.architecture == {
        "channels": 3,
        "widths": [3, 5],
        "classes": 4,
        "residual": [0, 1],
        "stem": "stride",
        "dropout": 0.1,
    }


def test_the_mean_over_the_image_is_that_of_torch() -> None:
    features = torch.randn(3, 4, 5, 7)

    torch.testing.assert_close(GlobalAveragePool()(features), nn.AdaptiveAvgPool2d(1)(features).flatten(1))
