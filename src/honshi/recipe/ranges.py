"""What a search may vary: one entry of a recipe's ``[tune.space]``.

A range          "optimizer.lr" = {low = 0.01, high = 1.0, log = true}
choices          "training.batch_size" = {choices = [32, 64, 128]}
sizes            "model.hidden" = {layers = [1, 3], low = 32, high = 512, log = true}
a strength       "augment" = {strength = {shift = 0.1, rotate = 10.0}, step = 0.25}
one a kind       "optimizer.lr" = {sgd = {low = 0.01, high = 1.0}, adam = {low = 0.001, high = 0.01}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from honshi.recipe.explain import nearest, said
from honshi.recipe.options import Count, Float, Int, Options, problem

Number = Int | Float
Depth = Annotated[Int, Field(ge=0)]
Scalar = bool | Int | float | str


class Range(Options):
    """Numbers from ``low`` to ``high``, whole ones if both are written so; both ends belong to it.

    ``log``: each order of magnitude is as likely. ``step``: only low, low + step, …
    """

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise problem("low {low:g} is not below high {high:g}", low=self.low, high=self.high)
        if self.log and self.low <= 0:
            raise problem("with log the low end is above 0, and it is {low:g}", low=self.low)
        if self.log and self.step is not None:
            raise problem("log and step exclude one another")
        if self.step is not None and self.step <= 0:
            raise problem("step is above 0, and it is {step:g}", step=self.step)
        if self.whole and isinstance(self.step, float):
            raise problem("the step of whole numbers is a whole number")
        return self


class Choices(Options):
    """One of several values; a value may be a list, as ``model.hidden`` is."""

    choices: Annotated[tuple[Scalar | tuple[Scalar, ...], ...], Field(min_length=2)]


class Sizes(Options):
    """The sizes of so many layers, from the first to the second number of ``layers``; each from low to high."""

    layers: tuple[Depth, Depth]
    low: Count
    high: Count
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high or self.layers[0] > self.layers[1]:
            raise problem("low is below high, and the fewest layers come first in layers")
        return self


class Strength(Options):
    """One number from 0 to 1, in steps, by which several options of a part are multiplied."""

    strength: Annotated[dict[str, Number], Field(min_length=1)]
    step: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.25


Plain: TypeAlias = Range | Choices
Entry: TypeAlias = Plain | Sizes | Strength | dict[str, Plain]

# Which key tells an entry for what it is; first found, first taken.
_TOLD_BY: tuple[tuple[str, type[Options]], ...] = (
    ("choices", Choices),
    ("layers", Sizes),
    ("strength", Strength),
    ("low", Range),
    ("high", Range),
)


def read_entry(value: Any) -> Any:
    """An entry from its table.

    Raises:
        ValueError: it is none; the message names the key, and the nearest one that exists.
    """
    if isinstance(value, Options):
        return value
    if not isinstance(value, Mapping):
        raise problem("this is a table, {{low = 0.01, high = 0.1}} or another, and not {value!r}", value=value)
    for key, kind in _TOLD_BY:
        if key in value:
            return _build(kind, value)
    if value and all(isinstance(inner, Mapping | Range | Choices) for inner in value.values()):
        return {kind: read_entry(inner) for kind, inner in value.items()}
    raise problem(
        "{found} gives no range: write low and high, choices, layers with low and high, strength, or a range for each "
        "kind.{nearest}",
        found=", ".join(value) or "nothing",
        nearest=nearest(next(iter(value), ""), [key for key, _ in _TOLD_BY]),
    )


SpaceEntry = Annotated[Entry, BeforeValidator(read_entry)]


def _build(kind: type[Options], value: Mapping[str, Any]) -> Options:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        # A misspelt key explains the missing one.
        found = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        key = str(found["loc"][0]) if found["loc"] else ""
        known = list(kind.model_fields)
        match found["type"]:
            case "extra_forbidden":
                raise problem(
                    "unknown key {key!r}.{nearest} Known there: {known}",
                    key=key,
                    nearest=nearest(key, known),
                    known=", ".join(known),
                ) from None
            case "missing":
                raise problem("{key} is missing", key=key) from None
            case _:
                raise problem("{key}: {problem}" if key else "{problem}", key=key, problem=said(found)) from None
