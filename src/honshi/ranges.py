"""What a search may vary: one entry of a recipe's ``[tune.space]``.

A range          "optimizer.lr" = {low = 0.01, high = 1.0, log = true}
choices          "training.batch_size" = {choices = [32, 64, 128]}
sizes            "model.hidden" = {layers = [1, 3], low = 32, high = 512, log = true}
a strength       "augment" = {strength = {shift = 0.1, rotate = 10.0}, step = 0.25}
one a kind       "optimizer.lr" = {sgd = {low = 0.01, high = 1.0}, adam = {low = 0.001, high = 0.01}}
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

Int = Annotated[int, Field(strict=True)]
Number = Int | Annotated[float, Field(strict=True, allow_inf_nan=False)]
Size = Annotated[int, Field(strict=True, ge=1)]
Depth = Annotated[int, Field(strict=True, ge=0)]
Scalar = bool | Int | float | str


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Entry):
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
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"with log the low end is above 0, and it is {self.low:g}")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude one another")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step is above 0, and it is {self.step:g}")
        if self.whole and isinstance(self.step, float):
            raise ValueError("the step of whole numbers is a whole number")
        return self


class Choices(_Entry):
    """One of several values; a value may be a list, as ``model.hidden`` is."""

    choices: Annotated[tuple[Scalar | tuple[Scalar, ...], ...], Field(min_length=2)]


class Sizes(_Entry):
    """The sizes of so many layers, from the first to the second number of ``layers``; each from low to high."""

    layers: tuple[Depth, Depth]
    low: Size
    high: Size
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high or self.layers[0] > self.layers[1]:
            raise ValueError("low is below high, and the fewest layers come first in layers")
        return self


class Strength(_Entry):
    """One number from 0 to 1, in steps, by which several options of a part are multiplied."""

    strength: Annotated[dict[str, Number], Field(min_length=1)]
    step: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.25


Plain: TypeAlias = Range | Choices
Entry: TypeAlias = Plain | Sizes | Strength | dict[str, Plain]

# Which key tells an entry for what it is; first found, first taken.
_TOLD_BY: tuple[tuple[str, type[_Entry]], ...] = (
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
    if isinstance(value, _Entry):
        return value
    if not isinstance(value, Mapping):
        # pydantic makes an error of the recipe only of a ValueError.
        raise ValueError(  # noqa: TRY004
            f"this is a table, {{low = 0.01, high = 0.1}} or another, and not {value!r}"
        )
    for key, kind in _TOLD_BY:
        if key in value:
            return _build(kind, value)
    if value and all(isinstance(inner, Mapping | Range | Choices) for inner in value.values()):
        return {kind: read_entry(inner) for kind, inner in value.items()}
    known = [key for key, _ in _TOLD_BY]
    raise ValueError(
        f"{', '.join(value) or 'nothing'} says no range: give low and high, choices, layers with low and high, "
        f"strength, or a range for each kind.{nearest(next(iter(value), ''), known)}"
    )


SpaceEntry = Annotated[Entry, BeforeValidator(read_entry)]


def nearest(word: str, known: list[str]) -> str:
    """The known word that was probably meant, as a sentence; nothing where none is close."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _build(kind: type[_Entry], value: Mapping[str, Any]) -> _Entry:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        # A misspelt key explains the missing one.
        problem = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        key = str(problem["loc"][0]) if problem["loc"] else ""
        known = list(kind.model_fields)
        match problem["type"]:
            case "extra_forbidden":
                raise ValueError(f"unknown key {key!r}.{nearest(key, known)} Known there: {', '.join(known)}") from None
            case "missing":
                raise ValueError(f"{key} is missing") from None
            case _:
                message = problem["msg"].removeprefix("Value error, ")
                raise ValueError(f"{key}: {message}" if key else message) from None
