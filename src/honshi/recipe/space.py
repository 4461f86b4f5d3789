"""What ``honshi tune`` searches, as far as the recipe can vouch for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field

from honshi.errors import RecipeError
from honshi.recipe.options import Changes, Options, problem
from honshi.recipe.ranges import Choices, Entry, Range, Sizes, SpaceEntry, Strength

# What stays the same for all trials of a search.
FIXED = ("name", "data", "tune", "training.seed", "training.device")


class TuneOptions(Options):
    """What ``honshi tune`` searches: keys of the recipe, and for each what it may be, see `honshi.recipe.ranges`."""

    space: dict[str, SpaceEntry] = Field(min_length=1)


def check_ends(
    space: Mapping[str, Entry], kind_of: Callable[[str], str | None], changed: Callable[[Changes], object]
) -> None:
    """See that each value at an end of the space, alone, makes a valid recipe.

    Args:
        space: of a recipe.
        kind_of: the kind that a part of the recipe is of; None where it is of no kind, or there is no such part.
        changed: builds the recipe with some changes, and raises a RecipeError where it does not hold together.

    Raises:
        ValueError: as `honshi.recipe.options.problem`; it names the entry.
    """
    for key, entry in space.items():
        if key in FIXED or key.split(".")[0] in FIXED:
            raise problem("tune.space, {key!r}: this stays the same for all trials of a search", key=key)
        for changes in _ends(space, kind_of, key, entry):
            try:
                changed(changes)
            except RecipeError as error:
                told = error.message.parameters.get("problem", error.message)
                raise problem("tune.space, {key!r}: {problem}", key=key, problem=told) from None


def _ends(
    space: Mapping[str, Entry], kind_of: Callable[[str], str | None], key: str, entry: Entry
) -> list[dict[str, Any]]:
    """The changes of a recipe at the ends of one entry of its space, for each kind that the part may be of."""
    part = key.split(".")[0]
    chooses = space.get(f"{part}.kind")
    kinds = chooses.choices if isinstance(chooses, Choices) else (kind_of(part),)
    match entry:
        case Range():
            values: list[Any] = [entry.low, entry.high]
        case Choices():
            values = list(entry.choices)
        case Sizes():
            values = [[size] * entry.layers[1] for size in (entry.low, entry.high)] + [[entry.low] * entry.layers[0]]
        case Strength():
            return [{f"{key}.{option}": full for option, full in entry.strength.items()}]
        case _:
            return [
                {**changes, f"{part}.kind": kind}
                for kind, plain in entry.items()
                for changes in _ends({}, kind_of, key, plain)
            ]
    if key == f"{part}.kind" or kinds == (None,):
        return [{key: value} for value in values]
    return [{f"{part}.kind": kind, key: value} for kind in kinds for value in values]
