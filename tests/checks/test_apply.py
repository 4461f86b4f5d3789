from __future__ import annotations

from pathlib import Path

import pytest

from honshi.checks.apply import apply_lr, recipe_file
from honshi.errors import RecipeError, RequestError
from honshi.recipe import Recipe

RECIPE = Recipe.read("lecture")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[optimizer]\nlr = 0.1\n", "[optimizer]\nlr = 0.03\n"),
        ("[optimizer]\nkind = 'adam'\n  lr=1e-3 # mine\n", "[optimizer]\nkind = 'adam'\n  lr=0.03 # mine\n"),
        ("[optimizer]\nkind = 'adam'\n", "[optimizer]\nlr = 0.03\nkind = 'adam'\n"),
        ("name = 'a'\n", "name = 'a'\n\n[optimizer]\nlr = 0.03\n"),
        (
            "[optimizer] # sgd\nlr = 0.1\n[training]\nepochs = 3\n",
            "[optimizer] # sgd\nlr = 0.03\n[training]\nepochs = 3\n",
        ),
    ],
)
def test_the_rest_of_the_file_stays_as_it_is(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(before)

    apply_lr(path, RECIPE, 0.03)

    assert path.read_text() == after
    assert Recipe.read(str(path)).optimizer.lr == 0.03


@pytest.mark.parametrize("text", ["optimizer.lr = 0.1\n", "optimizer = { lr = 0.1 }\n"])
def test_a_file_that_says_it_otherwise_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(RecipeError, match=r"optimizer\.lr to 0\.03 by hand"):
        apply_lr(path, RECIPE, 0.03)

    assert path.read_text() == text


def test_a_built_in_recipe_becomes_a_file_beside_you(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = recipe_file("lecture")

    apply_lr(path, RECIPE, 0.03)

    assert Recipe.read("lecture.toml") == RECIPE.changed({"optimizer.lr": 0.03})
    with pytest.raises(RequestError, match=r"lecture\.toml is here already"):
        recipe_file("lecture")
