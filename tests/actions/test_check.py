from __future__ import annotations

from pathlib import Path

import pytest

from honshi.actions.check import check
from honshi.errors import RequestError
from honshi.recipe import Recipe

NET = "from torch import nn\nNet = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n"


@pytest.fixture
def recipe() -> Recipe:
    return Recipe.read("lecture").changed({"data.subset": 300, "training.device": "cpu"})


def test_a_check_says_what_was_checked_and_draws_its_range_test(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)

    outcome = check(recipe, model_at=f"{tmp_path}/net.py:Net", picture=tmp_path / "range.png")

    assert str(outcome.title) == f"{tmp_path}/net.py:Net on mnist, device cpu"
    assert outcome.report.lr_range is not None
    assert outcome.picture == tmp_path / "range.png"
    assert outcome.picture.stat().st_size > 5000
    assert outcome.applied is None


def test_a_suggestion_goes_to_the_recipe_that_asked_for_it(recipe: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(recipe.to_toml())

    outcome = check(recipe, picture=tmp_path / "range.png", apply_to=str(file))

    assert outcome.applied is True
    assert outcome.report.lr_range is not None
    assert Recipe.read(str(file)).optimizer.lr == outcome.report.lr_range.suggestion


def test_data_of_ones_own_need_a_model_that_takes_them(recipe: Recipe) -> None:
    with pytest.raises(RequestError, match="--dataset needs --model"):
        check(recipe, dataset_at="data.py:train_set")
