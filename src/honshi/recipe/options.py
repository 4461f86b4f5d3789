"""What the options of every part of a recipe have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from honshi.messages import Message

# Numbers as TOML writes them: a string or a boolean is not one.
Int = Annotated[int, Field(strict=True)]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Float, Field(gt=0)]
NotNegative = Annotated[Float, Field(ge=0)]
Fraction = Annotated[Float, Field(ge=0, lt=1)]
Count = Annotated[Int, Field(ge=1)]
Seed = Annotated[Int, Field(ge=0, lt=2**63)]
Flag = Annotated[bool, Field(strict=True)]
Probability = Annotated[Float, Field(ge=0, le=1)]

# Keys of the recipe and what they become, as `Recipe.changed` takes them.
Changes: TypeAlias = Mapping[str, Any]


class Options(BaseModel):
    """The options of one part of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def problem(sentence: str, **parameters: Any) -> PydanticCustomError:
    """What a validator raises; `honshi.recipe.explain` puts the key before it and a full stop behind it."""
    return PydanticCustomError("problem", "{message}", {"message": Message(sentence, **parameters)})
