from __future__ import annotations

import numpy as np
import pytest
import torch

import honshi
from honshi import models
from honshi.errors import RecipeError
from honshi.models import MLP, TTA, Ensemble
from honshi.recipe import MLPOptions, TTAOptions


@pytest.fixture
def model() -> MLP:
    torch.manual_seed(0)
    return MLP(30, (8,), 4)


def test_in_training_it_is_the_plain_model(model: MLP) -> None:
    images = torch.randn(6, 1, 5, 6)

    assert torch.equal(TTA(model, shift=1, flip=True).train()(images), model(images))


def test_in_eval_mode_it_answers_by_the_mean_over_the_copies(model: MLP) -> None:
    tta, images = TTA(model, shift=1, flip=True).eval(), torch.randn(6, 1, 5, 6)

    probabilities = [model(copy).softmax(1) for copy in tta.copies(images)]

    assert len(probabilities) == 10
    torch.testing.assert_close(tta(images).softmax(1), torch.stack(probabilities).mean(0))


def test_the_copies_are_numpys_shifts_with_repeated_edges(model: MLP) -> None:
    images = torch.randn(2, 3, 5, 6)

    copies = TTA(model, shift=2).copies(images)

    wide = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    for copy, (top, left) in zip(copies, [(2, 2), (0, 2), (4, 2), (2, 0), (2, 4)], strict=True):
        np.testing.assert_array_equal(copy, wide[:, :, top : top + 5, left : left + 6])


def test_with_flip_alone_there_are_two_copies(model: MLP) -> None:
    images = torch.randn(2, 1, 5, 6)

    plain, mirrored = TTA(model, flip=True).copies(images)

    assert torch.equal(plain, images)
    assert torch.equal(mirrored, images.flip(-1))


def test_what_moves_in_is_the_background_in_normalised_numbers(mnist: honshi.Splits, model: MLP) -> None:
    images = mnist.val.normalization(mnist.val.pixels[:50])

    for copy in TTA(model, shift=2).copies(images):
        torch.testing.assert_close(copy[:, :, 0, 0], torch.full((50, 1), -1.0))


def test_with_shifts_a_small_shift_of_an_image_changes_the_answer_less(mnist: honshi.Splits) -> None:
    torch.manual_seed(0)
    plain, images = MLP(784, (64,), 10), mnist.val.normalization(mnist.val.pixels[:100])
    moved = images.roll(1, dims=3)

    def change(model: torch.nn.Module) -> float:
        with torch.no_grad():
            return float((model.eval()(images).softmax(1) - model(moved).softmax(1)).abs().mean())

    assert change(TTA(plain, shift=1)) < 0.8 * change(plain)


def test_a_recipe_wraps_its_network_or_its_ensemble() -> None:
    plain = models.build(MLPOptions(), (1, 28, 28), 10, TTAOptions())
    wrapped = models.build(MLPOptions(members=2), (1, 28, 28), 10, TTAOptions(shift=1))

    assert isinstance(plain, MLP)
    assert isinstance(wrapped, TTA)
    assert isinstance(wrapped.model, Ensemble)
    assert [type(member) for member in wrapped.model.members] == [MLP, MLP]


def test_the_members_of_a_recipes_ensemble_begin_apart() -> None:
    ensemble = models.build(MLPOptions(members=2), (1, 28, 28), 10)

    first, second = (member.get_parameter("layer1.weight") for member in ensemble.get_submodule("members").children())
    assert not torch.equal(first, second)


def test_a_shift_beyond_the_image_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"tta\.shift is 5 pixels and an image only 5×9"):
        models.build(MLPOptions(), (1, 5, 9), 10, TTAOptions(shift=5))
