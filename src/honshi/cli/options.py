"""The options that change a recipe; every command that takes a recipe takes them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from honshi.recipe import Recipe

# Option, the recipe's key, type, help.
_OPTIONS: tuple[tuple[str, str, Any, str], ...] = (
    ("--data", "data.source", str, "mnist, fashion-mnist, or idx:FOLDER with four IDX files."),
    ("--epochs", "training.epochs", int, "How often the training data are gone through."),
    ("--lr", "optimizer.lr", float, "Learning rate."),
    ("--batch-size", "training.batch_size", int, "Images in a mini-batch."),
    ("--hidden", "model.hidden", str, "Sizes of an MLP's hidden layers: 128,64."),
    ("--dropout", "model.dropout", float, "Probability of dropping an activation."),
    ("--seed", "training.seed", int, "Seed of the first weights, the order of the images and dropout."),
    ("--subset", "data.subset", int, "Train on so many images only, drawn by class."),
    ("--drop-leaks", "data.drop_leaks", bool, "Train without images that are in validation or test as well."),
    ("--val", "data.val", float, "Fraction of the training set that is set aside for validation."),
    ("--device", "training.device", str, "auto, cpu, cuda or mps."),
)


# Of commands that take a run.
data_option = click.option("--data", metavar="NAME_OR_PATH", help="Where the run's data are now, if they were moved.")


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; `read_recipe` takes them from its keyword arguments."""
    command = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any other key of the recipe: --set optimizer.momentum=0.9. May be repeated.",
    )(command)
    for option, _, kind, text in reversed(_OPTIONS):
        command = click.option(option, type=kind, is_flag=kind is bool, default=None, help=text)(command)
    return command


def read_recipe(name: str, settings: tuple[str, ...], options: dict[str, Any]) -> Recipe:
    """The recipe called ``name`` with the changes that the options and ``--set`` ask for.

    Raises:
        RecipeError: by the recipe; by a setting that is not KEY=VALUE.
    """
    from honshi.errors import RecipeError
    from honshi.recipe import Recipe

    changes: dict[str, Any] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise RecipeError(
                "--set {setting}: this is not KEY=VALUE, as in --set optimizer.momentum=0.9.", setting=setting
            )
        changes[key.strip()] = _value(value.strip())
    recipe = Recipe.read(name)
    kind = changes.get("model.kind", recipe.model.kind)
    for option, key, _, _ in _OPTIONS:
        value = options[option.removeprefix("--").replace("-", "_")]
        if value is not None:
            _check_that_the_model_has_it(option, key, kind)
            changes[key] = _sizes(value) if option == "--hidden" else value
    return recipe.changed(changes)


def given_options(settings: tuple[str, ...], options: dict[str, Any]) -> list[str]:
    """The options that change a recipe and were given."""
    names = [option for option, *_ in _OPTIONS if options[option.removeprefix("--").replace("-", "_")] is not None]
    return [*names, "--set"] if settings else names


def _check_that_the_model_has_it(option: str, key: str, kind: object) -> None:
    from honshi.errors import RecipeError
    from honshi.recipe import kind_called

    part, _, leaf = key.partition(".")
    model = kind_called(kind)
    if part == "model" and model is not None and leaf not in model.model_fields:
        raise RecipeError(
            "{option}: a model of the kind {kind!r} has no {key}. It has: {known}.",
            option=option,
            kind=kind,
            key=key,
            known=", ".join(model.model_fields),
        )


def _value(text: str) -> Any:
    """What TOML makes of it; a word without quotes is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _sizes(text: str) -> list[int]:
    from honshi.errors import RecipeError

    try:
        return [int(size) for size in text.split(",") if size.strip()]
    except ValueError:
        raise RecipeError(
            "--hidden {text}: sizes are whole numbers with commas between them: 128,64.", text=text
        ) from None
