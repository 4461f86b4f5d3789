"""What is wrong with a recipe, in its own words: where, what, and the nearest key that exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from honshi.messages import Message
from honshi.recipe.kinds import Kinds
from honshi.recipe.options import Options


def explain(error: ValidationError, options: type[Options], table: Any) -> Message:
    """All that pydantic found, one sentence each.

    Args:
        error: by ``options``, when they were built of
        table: as it was written.
    """
    return _joined(dict.fromkeys(_sentence(problem, options, table) for problem in error.errors()))


def nearest(word: str, known: Iterable[str]) -> Message:
    """The known word that was probably meant, as a sentence with a space before it; nothing where none is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return Message(" Did you mean {word!r}?", word=close[0]) if close else Message("")


def said(problem: Mapping[str, Any]) -> Message:
    """What is wrong in one place, without the place: in pydantic's words, or in those of `problem`."""
    own = problem.get("ctx", {}).get("message")
    if isinstance(own, Message):
        return own
    message: str = problem["msg"]
    return Message("{problem}", problem=message[:1].lower() + message[1:])


def _sentence(problem: Mapping[str, Any], options: type[Options], table: Any) -> Message:
    location = [str(step) for step in problem["loc"]]
    match problem["type"]:
        case "extra_forbidden":
            *parents, leaf = location
            there, path = _follow(options, table, parents)
            known = list(there.model_fields) if there else []
            return Message(
                "unknown key {key!r}.{nearest} Known there: {known}.",
                key=".".join([*path, leaf]),
                nearest=nearest(leaf, known),
                known=", ".join(known),
            )
        case "kind":
            _, path = _follow(options, table, location)
            known = problem["ctx"]["known"]
            return Message(
                "{key}.kind is {kind!r}; it can be {known}.",
                key=".".join(path),
                kind=problem["ctx"]["kind"],
                known=", ".join(map(repr, known)),
            )
        case _:
            _, path = _follow(options, table, location)
            value = problem["input"]
            told = said(problem)
            if not isinstance(value, Mapping | Options):
                told = Message("{problem} (it is {value!r})", problem=told, value=value)
            if path:
                told = Message("{key}: {problem}", key=".".join(path), problem=told)
            # What an end of a search space makes of the recipe is a sentence already.
            return told if str(told).endswith(".") else Message("{problem}.", problem=told)


def _joined(sentences: Iterable[Message]) -> Message:
    named = {f"sentence_{number}": sentence for number, sentence in enumerate(sentences, start=1)}
    places = " ".join(f"{{{name}}}" for name in named)
    return Message(places, **named)


def _follow(options: type[Options], table: Any, location: list[str]) -> tuple[type[Options] | None, list[str]]:
    """The options at a place, and its keys without the names that pydantic has for alternatives."""
    here: type[Options] | None = options
    keys: list[str] = []
    free = False  # whether the keys of this table are the user's own
    for step in location:
        field = here.model_fields.get(step) if here is not None else None
        if field is not None:
            keys.append(step)
            table = table.get(step) if isinstance(table, Mapping) else None
            here, free = _options_of(field, table), get_origin(field.annotation) is dict
        elif step.isdigit():
            keys.append(step)
        elif free:
            keys.append(repr(step))
            free = False
    return here, keys


def _options_of(field: FieldInfo, table: Any) -> type[Options] | None:
    for each in field.metadata:
        if isinstance(each, Kinds):
            return each.get(each.of(table)) if isinstance(table, Mapping) else None
    # A part that may be left out is "TuneOptions | None".
    alternatives = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return next((each for each in alternatives if isinstance(each, type) and issubclass(each, Options)), None)
