"""The recipe itself: data, model, loss, optimizer, schedule and training as one value.

It is checked where it is built, cannot be changed afterwards, and goes to TOML and back without
loss. Each part's options are named as the field names them. A part that can be one of several
things says which by its ``kind``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

import tomli_w
from pydantic import Field, ValidationError, model_validator

from honshi.errors import RecipeError
from honshi.files import read_bounded
from honshi.recipe.data import AugmentOptions, DataOptions
from honshi.recipe.explain import explain, nearest
from honshi.recipe.loss import CrossEntropyOptions, LossOptions
from honshi.recipe.mlp import MLPOptions
from honshi.recipe.model import MODELS, ModelOptions, TTAOptions
from honshi.recipe.optimizer import OPTIMIZERS, OptimizerOptions, SGDOptions
from honshi.recipe.options import Changes, Options
from honshi.recipe.schedule import SCHEDULES, ConstantOptions, ScheduleOptions
from honshi.recipe.space import TuneOptions, check_ends
from honshi.recipe.training import TrainingOptions

# More than anybody writes by hand.
MOST_BYTES = 1 << 20


class Recipe(Options):
    """Everything needed to repeat a training.

    Raises:
        RecipeError: by `from_toml`, `read` and `changed`, when something does not hold together; the
            message names the key, and the nearest one that exists.
    """

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w.+-]+$")] = "custom"
    data: DataOptions = DataOptions()
    augment: AugmentOptions = AugmentOptions()
    model: Annotated[ModelOptions, MODELS] = MLPOptions()
    tta: TTAOptions = TTAOptions()
    loss: LossOptions = CrossEntropyOptions()
    optimizer: Annotated[OptimizerOptions, OPTIMIZERS] = SGDOptions()
    schedule: Annotated[ScheduleOptions, SCHEDULES] = ConstantOptions()
    training: TrainingOptions = TrainingOptions()
    tune: TuneOptions | None = None

    @model_validator(mode="after")
    def _every_end_of_the_space_holds(self) -> Self:
        if self.tune is not None:
            plain = self.model_copy(update={"tune": None})
            check_ends(self.tune.space, lambda part: getattr(getattr(self, part, None), "kind", None), plain.changed)
        return self

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any], where: str = "recipe") -> Self:
        """Build a recipe from nested tables; ``where`` is named in errors."""
        try:
            recipe = cls.model_validate(tables)
            recipe.to_toml().encode()
        except ValidationError as error:
            raise RecipeError("{where}: {problem}", where=where, problem=explain(error, cls, tables)) from None
        except UnicodeEncodeError as error:
            raise RecipeError(
                "{where}: in {text!r} is a name that is not UTF-8, and a recipe is kept in UTF-8: give that file or "
                "folder another name.",
                where=where,
                text=error.object.splitlines()[error.object[: error.start].count("\n")],
            ) from None
        return recipe

    @classmethod
    def from_toml(cls, text: str, where: str = "recipe") -> Self:
        """Build a recipe from TOML."""
        try:
            tables = tomllib.loads(text)
        # What tomllib raises itself is a ValueError, and so is a number of too many digits.
        except (ValueError, RecursionError) as error:
            raise RecipeError("{where}: this is not TOML: {problem}.", where=where, problem=error) from None
        return cls.from_dict(tables, where)

    @classmethod
    def read(cls, name_or_path: str) -> Self:
        """A built-in recipe by name, or one from a ``.toml`` file."""
        path = Path(name_or_path)
        if path.suffix == ".toml" or path.parent != Path():
            try:
                text = read_bounded(path, MOST_BYTES).decode("utf-8")
            except (OSError, ValueError) as error:
                problem = error.strerror if isinstance(error, OSError) else error
                raise RecipeError("{path}: the recipe cannot be read: {problem}.", path=path, problem=problem) from None
            return cls.from_toml(text, str(path))
        if name_or_path in built_in():
            text = (resources.files("honshi") / "recipes" / f"{name_or_path}.toml").read_text("utf-8")
            return cls.from_toml(text, f"recipe {name_or_path}")
        raise RecipeError(
            "There is no recipe called {name!r}.{nearest} Built in are {known}; a recipe of your own is a path that "
            "ends in .toml.",
            name=name_or_path,
            nearest=nearest(name_or_path, built_in()),
            known=", ".join(built_in()),
        )

    def to_toml(self) -> str:
        """The recipe as TOML with every option written out; `from_toml` gives an equal one."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))

    def changed(self, changes: Changes) -> Self:
        """A recipe that differs in some keys, ``{"optimizer.lr": 0.01, "training.epochs": 3}``.

        Where a ``kind`` changes, the options that belonged to the old kind go with it.
        """
        tables = self.model_dump(exclude_none=True)
        # Kinds first: what they discard must not be what another change has just set.
        for key in sorted(changes, key=lambda key: not key.endswith(".kind")):
            value = changes[key]
            *parents, leaf = key.split(".")
            table = tables
            for parent in parents:
                table = table.setdefault(parent, {})
                if not isinstance(table, dict):
                    raise RecipeError("{key}: {parent} is a value, not a table of options.", key=key, parent=parent)
            part = getattr(self, parents[0], None) if parents else None
            if leaf == "kind" and value != getattr(part, "kind", None):
                table.clear()
            table[leaf] = value
        return self.from_dict(tables, "options")


def built_in() -> list[str]:
    """The names of the recipes that ship with honshi."""
    folder = resources.files("honshi") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
