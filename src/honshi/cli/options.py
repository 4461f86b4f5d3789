"""The options that change a recipe; every command that takes a recipe takes them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from honshi.files import is_file, is_folder

if TYPE_CHECKING:
    from honshi.messages import Message
    from honshi.recipe import Recipe

# In the place of a recipe's name: the one that suits the data.
SUITED = "suited"
# What suits data that have a shape of their own.
FOR_OWN_DATA = "cnn"
# Option, the recipe's key, type, help.
_OPTIONS: tuple[tuple[str, str, Any, str], ...] = (
    ("--data", "data.source", str, "mnist, fashion-mnist, or the path of pictures of your own."),
    ("--epochs", "training.epochs", int, "How often the training data are gone through."),
    ("--lr", "optimizer.lr", float, "Learning rate."),
    ("--batch-size", "training.batch_size", int, "Images in a mini-batch."),
    ("--hidden", "model.hidden", str, "Sizes of an MLP's hidden layers: 128,64."),
    ("--dropout", "model.dropout", float, "Probability of dropping an activation."),
    (
        "--finetune",
        "model.finetune",
        bool,
        "Train a pretrained network as a whole; kept if better by more than chance.",
    ),
    ("--seed", "training.seed", int, "Seed of the first weights, the order of the images and dropout."),
    ("--subset", "data.subset", int, "Train on so many images only, drawn by class."),
    ("--drop-leaks", "data.drop_leaks", bool, "Train without images that are in validation or test as well."),
    ("--val", "data.val", float, "Fraction of the training set that is set aside for validation."),
    ("--folds", "data.folds", int, "Score each training image by a model that has not seen it, in so many folds."),
    ("--repeats", "data.repeats", int, "How often the images are dealt out to folds; 1."),
    ("--test", "data.test", float, "Fraction of own pictures set aside for the exam when first seen; 0.15."),
    ("--size", "data.size", int, "Side in pixels that own pictures are brought to."),
    ("--fit", "data.fit", str, "How own pictures of other proportions get there: pad, crop or stretch."),
    ("--group", "data.group", str, "Pattern of names of own pictures: what is in its brackets is never torn apart."),
    ("--columns", "data.columns", str, "Columns of a table: path=file,label=class,split=part,group=patient."),
    ("--strict", "data.strict", bool, "Refuse own pictures of which one cannot be read."),
    ("--device", "training.device", str, "auto, cpu, cuda or mps."),
)


_OF_FOLDS = ("data.folds", "data.repeats")

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
    return _with(command, [key for _, key, _, _ in _OPTIONS])


def division_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those that say how data are read and divided, for a command to which the data are given as they are."""
    return _with(
        command,
        [key for _, key, _, _ in _OPTIONS if key.startswith("data.") and key not in ("data.source", *_OF_FOLDS)],
    )


def _with(command: Callable[..., Any], keys: list[str]) -> Callable[..., Any]:
    for option, key, kind, text in reversed(_OPTIONS):
        if key in keys:
            command = click.option(option, type=kind, is_flag=kind is bool, default=None, help=text)(command)
    return command


class RecipeCommand(click.Command):
    """A command that takes a recipe, or data of one's own in its place: then it is the recipe that suits them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        given = ctx.params["recipe"]
        if given is not None and _is_data(given):
            if ctx.params["data"] is not None:
                from honshi.errors import RecipeError

                raise RecipeError(
                    "{name} is data, and so is what --data names: give one of them, or the name of a recipe in front.",
                    name=given,
                )
            ctx.params |= {"recipe": SUITED, "data": given}
        return rest


def _is_data(name: str) -> bool:
    """Whether it is the path of data; a built-in recipe of that name goes before."""
    from honshi.recipe import built_in

    path = Path(name)
    if name in built_in() or path.suffix == ".toml":
        return False
    return name.startswith(("idx:", "hf:")) or is_folder(path) or is_file(path)


def read_recipe(name: str, settings: tuple[str, ...], options: dict[str, Any]) -> tuple[Recipe, Message | None]:
    """A recipe with the changes that the options and ``--set`` ask for, and why it is this one, where it was chosen.

    Only where it has to suit data of one's own is anything else loaded for it.

    Args:
        name: of a recipe, or ``SUITED``.
        settings: of ``--set``.
        options: those that were given, by their names.

    Raises:
        RecipeError: by the recipe; by a setting that is not KEY=VALUE.
        DataError: the recipe has to suit data that cannot be read.
    """
    from honshi.recipe import Recipe

    changes, why = _changes(settings, options), None
    if name == SUITED:
        name, why = _suited(changes)
    recipe = Recipe.read(name)
    kind = changes.get("model.kind", recipe.model.kind)
    for option, key, _, _ in _OPTIONS:
        if options.get(_keyword(option)) is not None:
            _check_that_the_model_has_it(option, key, kind)
    return recipe.changed(changes), why


def _changes(settings: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """What is asked for, by the recipe's keys.

    Raises:
        RecipeError: a setting is not KEY=VALUE.
    """
    from honshi.errors import RecipeError

    changes: dict[str, Any] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise RecipeError(
                "--set {setting}: this is not KEY=VALUE, as in --set optimizer.momentum=0.9.", setting=setting
            )
        changes[key.strip()] = _value(value.strip())
    for option, key, _, _ in _OPTIONS:
        given = options.get(_keyword(option))
        if given is not None:
            changes[key] = _READ.get(option, lambda value: value)(given)
    return changes


def _suited(changes: dict[str, Any]) -> tuple[str, Message | None]:
    """The name of the recipe that suits the data that are asked for, and why."""
    from honshi.cli.loading import loading
    from honshi.recipe import Recipe

    asked = Recipe.read(FOR_OWN_DATA).changed({key: changes[key] for key in changes if key.startswith("data.")})
    with loading():
        from honshi.actions.suggest import suggest
    found = suggest(asked.data)
    return (FOR_OWN_DATA, None) if found is None else (found.recipe, found.why)


def given_options(settings: tuple[str, ...], options: dict[str, Any]) -> list[str]:
    """The options that change a recipe and were given."""
    names = [option for option, *_ in _OPTIONS if options.get(_keyword(option)) is not None]
    return [*names, "--set"] if settings else names


def _keyword(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


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


def _columns(text: str) -> dict[str, str | int]:
    from honshi.errors import RecipeError

    columns: dict[str, str | int] = {}
    for pair in text.split(","):
        key, separator, column = (part.strip() for part in pair.partition("="))
        if not separator or not key or not column:
            raise RecipeError("--columns {text}: this is not path=COLUMN,label=COLUMN.", text=text)
        columns[key] = int(column) if column.isdecimal() else column
    return columns


def _sizes(text: str) -> list[int]:
    from honshi.errors import RecipeError

    try:
        return [int(size) for size in text.split(",") if size.strip()]
    except ValueError:
        raise RecipeError(
            "--hidden {text}: sizes are whole numbers with commas between them: 128,64.", text=text
        ) from None


# What an option's text becomes.
_READ: dict[str, Callable[[Any], Any]] = {"--hidden": _sizes, "--columns": _columns}
