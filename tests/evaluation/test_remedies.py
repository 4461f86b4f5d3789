from __future__ import annotations

import shlex
from pathlib import Path
from typing import get_args

import pytest

from honshi.cli.options import read_recipe
from honshi.evaluation.diagnosis import Verdict
from honshi.evaluation.remedies import all_remedies, remedies_for
from honshi.experiment import Experiment
from honshi.recipe import Recipe, built_in

LECTURE = Recipe.read("lecture")


def names(verdict: Verdict, recipe: Recipe) -> list[str]:
    return [str(remedy.name) for remedy in remedies_for(verdict, recipe, 54_000)]


@pytest.mark.parametrize("verdict", get_args(Verdict))
@pytest.mark.parametrize("recipe", built_in())
def test_each_verdict_has_remedies_for_each_recipe_and_each_makes_another_recipe(verdict: Verdict, recipe: str) -> None:
    chosen = Recipe.read(recipe)
    remedies = remedies_for(verdict, chosen, 54_000)

    assert remedies
    assert len({remedy.name for remedy in remedies}) == len(remedies)
    assert all(chosen.changed(remedy.changes) != chosen for remedy in remedies if remedy.changes)


def test_the_command_does_what_the_remedy_says(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "recipe.toml"
    path.parent.mkdir()
    path.write_text(LECTURE.to_toml())

    for verdict in get_args(Verdict):
        for remedy in remedies_for(verdict, LECTURE, 54_000):
            honshi, train, recipe, *rest = shlex.split(remedy.command(path))
            settings = tuple(word for word in rest if "=" in word)

            assert (honshi, train, recipe) == ("honshi", "train", str(path))
            assert read_recipe(recipe, settings, {})[0] == LECTURE.changed(remedy.changes)


def test_the_lectures_remedies_are_offered_against_overfitting() -> None:
    offered = names("overfitting", LECTURE)

    assert {"augmentation", "dropout", "weight decay", "early stopping", "batch norm", "smaller model"} <= set(offered)


def test_what_a_recipe_has_already_is_not_offered_again() -> None:
    treated = LECTURE.changed(
        {"augment.shift": 0.1, "model.batch_norm": True, "training.patience": 3, "loss.label_smoothing": 0.1}
    )

    assert not {"augmentation", "batch norm", "early stopping", "label smoothing"} & set(names("overfitting", treated))
    assert "convolutional network" not in names("overfitting", Recipe.read("cnn"))


def test_more_images_are_offered_where_a_subset_was_taken() -> None:
    offered = remedies_for("overfitting", LECTURE.changed({"data.subset": 20_000}), 54_000)

    assert offered[0].name.sentence == "more images"
    assert offered[0].changes == {"data.subset": 54_000}
    assert "more images" not in names("overfitting", LECTURE)


def test_batch_norm_is_not_offered_where_a_mini_batch_would_have_a_single_image() -> None:
    recipe = LECTURE.changed({"data.subset": 65})

    assert "batch norm" not in names("overfitting", recipe)


def test_all_remedies_begin_with_the_verdicts_own_and_keep_the_data() -> None:
    recipe = LECTURE.changed({"data.subset": 1000})
    remedies = all_remedies("still-learning", recipe, 54_000)

    assert remedies[0].name.sentence == "more epochs"
    assert len({remedy.name for remedy in remedies}) == len(remedies)
    assert all(recipe.changed(remedy.changes).data == recipe.data for remedy in remedies)


def test_all_remedies_can_be_trained() -> None:
    recipe = LECTURE.changed({"data.subset": 100})

    for remedy in all_remedies("overfitting", recipe, 54_000):
        Experiment.build(recipe.changed(remedy.changes))
