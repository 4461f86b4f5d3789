"""A recipe's search space: what it may say, and what is wrong with what it may not."""

from __future__ import annotations

import pytest

from honshi.errors import RecipeError
from honshi.recipe import Recipe
from honshi.recipe.ranges import Choices, Range, Sizes, Strength

SPACE = """
[tune.space]
"optimizer.kind" = {choices = ["sgd", "adam"]}
"optimizer.lr" = {sgd = {low = 0.01, high = 1.0, log = true}, adam = {low = 0.001, high = 0.01}}
"optimizer.momentum" = {sgd = {choices = [0.0, 0.9]}}
"training.batch_size" = {low = 16, high = 256, step = 16}
"model.hidden" = {layers = [0, 3], low = 32, high = 512, log = true}
"training.clip_grad_norm" = {low = 0.1, high = 10.0}
augment = {strength = {shift = 0.1, rotate = 10.0}, step = 0.5}
"""


def test_a_space_is_read_and_written_without_loss() -> None:
    recipe = Recipe.from_toml(SPACE)

    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert recipe.tune is not None
    assert recipe.tune.space["optimizer.kind"] == Choices(choices=("sgd", "adam"))
    assert recipe.tune.space["optimizer.lr"] == {
        "sgd": Range(low=0.01, high=1.0, log=True),
        "adam": Range(low=0.001, high=0.01),
    }
    assert recipe.tune.space["model.hidden"] == Sizes(layers=(0, 3), low=32, high=512, log=True)
    assert recipe.tune.space["augment"] == Strength(strength={"shift": 0.1, "rotate": 10.0}, step=0.5)


def test_a_recipe_without_a_space_writes_none() -> None:
    assert "tune" not in Recipe().to_toml()


def test_whole_ends_make_whole_numbers() -> None:
    assert Range(low=1, high=2).whole
    assert not Range(low=1, high=2.5).whole


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ('"optimizer.lrr" = {low = 0.1, high = 1.0}', "Did you mean 'lr'?"),
        ('"optimiser.lr" = {low = 0.1, high = 1.0}', "Did you mean 'optimizer'?"),
        ('"optimizer.lr" = {low = 0.1, hihg = 1.0}', "Did you mean 'high'?"),
        ('"optimizer.lr" = {lwo = 0.1}', "Did you mean 'low'?"),
        ('"optimizer.lr" = {low = 0.1}', "high is missing"),
        ('"optimizer.lr" = 0.1', "this is a table"),
        ('"optimizer.lr" = {low = "a", high = 1.0}', "low: "),
        ('"optimizer.lr" = {low = 1.0, high = 0.1}', "low 1 is not below high 0.1"),
        ('"optimizer.lr" = {low = -0.1, high = 1.0}', "greater than 0"),
        ('"optimizer.lr" = {low = 0.0, high = 1.0, log = true}', "with log the low end is above 0"),
        ('"optimizer.lr" = {low = 0.1, high = 1.0, log = true, step = 0.1}', "log and step"),
        ('"optimizer.lr" = {low = 0.1, high = 1.0, step = 0.0}', "step is above 0"),
        ('"training.batch_size" = {low = 1, high = 9, step = 0.5}', "whole number"),
        ('"training.batch_size" = {low = 1.0, high = 9.5}', "valid integer"),
        ('"training.batch_size" = {choices = [32]}', "at least 2"),
        ('"optimizer.kind" = {choices = ["sgd", "adm"]}', "'adm'"),
        ('"optimizer.lr" = {sdg = {low = 0.1, high = 1.0}}', "'sdg'"),
        ('"optimizer.betas" = {low = 0.1, high = 1.0}', "unknown key 'optimizer.betas'"),
        ('"model.hidden" = {layers = [2, 1], low = 8, high = 9}', "fewest layers"),
        ('"model.dropout" = {layers = [1, 2], low = 8, high = 9}', "model.dropout"),
        ("augment = {strength = {shitf = 0.1}}", "Did you mean 'shift'?"),
        ('"data.val" = {low = 0.1, high = 0.5}', "stays the same for all trials"),
        ('"training.seed" = {low = 1, high = 5}', "stays the same for all trials"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_with_its_key(entry: str, told: str) -> None:
    with pytest.raises(RecipeError) as raised:
        Recipe.from_toml(f"[tune.space]\n{entry}", "mine.toml")

    assert str(raised.value).startswith("mine.toml: tune.space")
    assert entry.split(" = ")[0].strip('"') in str(raised.value)
    assert told in str(raised.value)


def test_an_option_that_not_every_kind_has_is_given_for_a_kind() -> None:
    kinds = '[tune.space]\n"optimizer.kind" = {choices = ["sgd", "adam"]}\n'

    with pytest.raises(RecipeError, match=r"unknown key 'optimizer\.momentum'"):
        Recipe.from_toml(kinds + '"optimizer.momentum" = {low = 0.1, high = 0.9}')
    Recipe.from_toml(kinds + '"optimizer.momentum" = {sgd = {low = 0.1, high = 0.9}}')


def test_an_empty_space_is_none() -> None:
    with pytest.raises(RecipeError, match=r"tune\.space"):
        Recipe.from_toml("[tune.space]")
