"""Which recipe suits pictures of one's own."""

import pytest

from honshi.recipe import suggestion
from honshi.recipe.suggestion import FEW, SMALL, suggest_recipe


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestion, "find_spec", lambda name: object())


@pytest.mark.parametrize(
    ("images", "side", "recipe"),
    [
        (300, 300, "photos"),
        (FEW, SMALL, "photos"),
        (FEW + 1, 300, "cnn"),
        (300, SMALL - 1, "cnn"),
        (60_000, 28, "cnn"),
        (0, 300, "photos"),
    ],
)
def test_few_photographs_take_a_pretrained_network_and_all_else_one_from_scratch(
    images: int, side: int, recipe: str
) -> None:
    assert suggest_recipe(images=images, classes=2, side=side).recipe == recipe


def test_the_reason_names_what_it_was_found_by() -> None:
    assert "300 pixels" in str(suggest_recipe(images=1234, classes=2, side=300).why)
    assert "1,234" in str(suggest_recipe(images=1234, classes=2, side=300).why)


def test_without_the_weights_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestion, "find_spec", lambda name: None)
    suggested = suggest_recipe(images=300, classes=2, side=300)
    assert suggested.recipe == "cnn"
    assert "honshi[photos]" in str(suggested.why)
