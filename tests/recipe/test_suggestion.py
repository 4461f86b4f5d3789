"""Which recipe suits pictures of one's own."""

import pytest

from honshi.recipe import suggestion
from honshi.recipe.suggestion import FEW, SCENES, SMALL, suggest_recipe


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestion, "find_spec", lambda name: object())


@pytest.mark.parametrize(
    ("images", "side", "colour", "recipe"),
    [
        (300, 300, True, "photos"),
        (300, 300, False, "photos"),
        (FEW, SMALL, True, "photos"),
        (FEW + 1, 300, True, "colour"),
        (FEW + 1, 300, False, "cnn"),
        (300, SMALL - 1, True, "colour"),
        (50_000, SCENES, True, "colour"),
        (50_000, SCENES - 1, True, "cnn"),
        (60_000, 28, False, "cnn"),
        (0, 300, True, "photos"),
    ],
)
def test_few_photographs_take_a_pretrained_network_and_all_else_one_from_scratch(
    images: int, side: int, colour: bool, recipe: str
) -> None:
    suggested = suggest_recipe(images=images, classes=2, side=side, colour=colour)

    assert suggested.recipe == recipe
    assert f"Recipe {recipe}" in str(suggested.why)


def test_the_reason_names_what_it_was_found_by() -> None:
    why = str(suggest_recipe(images=1234, classes=2, side=300, colour=True).why)

    assert "300 pixels" in why
    assert "1,234" in why


def test_without_the_weights_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestion, "find_spec", lambda name: None)
    suggested = suggest_recipe(images=300, classes=2, side=300, colour=True)
    assert suggested.recipe == "colour"
    assert "honshi[photos]" in str(suggested.why)
