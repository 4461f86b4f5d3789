"""Parts of a recipe that can be one of several things, and say which by their ``kind``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from honshi.recipe.options import Options, problem

AnyOptions = TypeVar("AnyOptions", bound=Options)


class Kinds(Generic[AnyOptions]):
    """The options of each kind that a part may be of; written beside the type of a field, it reads that field.

    Attributes:
        default: the kind of a table that does not say it.
    """

    def __init__(self, default: str, *options: type[AnyOptions]) -> None:
        self.default = default
        self._options: dict[str, type[AnyOptions]] = {}
        for each in options:
            self.register(each)

    def register(self, options: type[AnyOptions]) -> type[AnyOptions]:
        """Add options whose ``kind`` is a Literal: the word, or the words, by which they are known.

        Raises:
            ValueError: other options are known by that word already.
        """
        for kind in get_args(options.model_fields["kind"].annotation):
            if self._options.setdefault(kind, options) is not options:
                raise ValueError(f"{kind!r} is {self._options[kind].__qualname__} already")
        return options

    @property
    def names(self) -> list[str]:
        """All kinds, the default first."""
        return sorted(self._options, key=lambda kind: kind != self.default)

    def get(self, kind: object) -> type[AnyOptions] | None:
        """The options of a kind."""
        return self._options.get(kind) if isinstance(kind, str) else None

    def of(self, table: Mapping[str, Any]) -> object:
        """What a table says that its kind is."""
        return table.get("kind", self.default)

    def read(self, value: Any) -> AnyOptions:
        """Options from their table; such as were built already are taken as they are."""
        for known in self._options.values():
            if isinstance(value, known):
                return value
        if not isinstance(value, Mapping):
            raise problem("this is a table of options")
        kind = self.of(value)
        options = self.get(kind)
        if options is None:
            raise PydanticCustomError("kind", "no such kind", {"kind": str(kind), "known": self.names})
        return options.model_validate({**value, "kind": kind})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)
