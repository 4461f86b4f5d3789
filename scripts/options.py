"""The pages of a recipe's options, in both languages: types and defaults from the recipe, sentences from
options.toml."""

from __future__ import annotations

import inspect
import json
import tomllib
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from honshi.recipe import Recipe
from honshi.recipe.recipe import built_in

SENTENCES = Path(__file__).with_suffix(".toml")
LANGUAGES = ("en", "ja")
# Of types; {} is a type within.
WORDS = {
    "int": ("whole number", "整数"),
    "float": ("number", "数"),
    "bool": ("true or false", "true か false"),
    "str": ("text", "文字列"),
    "list": ("list of: {}", "{} のリスト"),
    "pair": ("pair of: {}", "組: {}"),
    "dict": ("table", "表"),
    "or": (" or ", " か "),
    "and": (" and ", "、"),
}
BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}


def page(language: str) -> str:
    """The page in Markdown."""
    sentences, spoken = tomllib.loads(SENTENCES.read_text("utf-8")), LANGUAGES.index(language)
    lines = [sentences["page"]["head"][spoken].format(names=", ".join(f"`{name}`" for name in built_in()))]
    for table, options in tables():
        place, title = place_of(table, options)
        lines += [f"## {title}", "", sentences["sections"][place][spoken], ""]
        lines += [sentences["page"]["columns"][spoken], "|---|---|---|---|"]
        for key, field in options.model_fields.items():
            told = sentences.get(place, {}).get(key) or sentences["shared"][key]
            default = "" if field.is_required() else _default(field.default)
            kind = _type(field.annotation, field.metadata, spoken)
            lines.append(f"| `{key}` | {told[spoken]} | {kind} | {default} |")
        lines.append("")
    return "\n".join(lines)


def tables() -> Iterator[tuple[str, type[BaseModel]]]:
    """The tables of a recipe, and what each may hold; several where there are kinds."""
    for table, field in Recipe.model_fields.items():
        for options in _options(field.annotation):
            yield table, options


def place_of(table: str, options: type[BaseModel]) -> tuple[str, str]:
    """What sentences call a table, and its heading."""
    if "kind" not in options.model_fields:
        return table, f"[{table}]"
    kinds = get_args(options.model_fields["kind"].annotation)
    return f"{table}.{kinds[0]}", f"[{table}] kind = {' / '.join(json.dumps(kind) for kind in kinds)}"


def _options(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        kinds = [one for one in annotation.__subclasses__() if one.__module__.startswith("honshi.")]
        for kind in kinds:
            yield from _options(kind)
        if not kinds:
            yield annotation
    for inner in get_args(annotation):
        yield from _options(inner)


def _type(annotation: Any, metadata: Iterable[Any], language: int) -> str:
    """A type in words, with its bounds."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0], [*inner[1:], *metadata], language)
    if origin in (Union, types.UnionType):
        given = [_type(one, metadata, language) for one in inner if one is not types.NoneType]
        return WORDS["or"][language].join(given)
    if origin is Literal:
        return ", ".join(f"`{json.dumps(one)}`" for one in inner)
    if origin is tuple:
        name = "list" if inner[-1] is Ellipsis else "pair"
        held = dict.fromkeys(_type(one, (), language) for one in inner if one is not Ellipsis)
        return WORDS[name][language].format(", ".join(held))
    named = WORDS.get((origin or annotation).__name__)
    if named is None:
        raise ValueError(f"{annotation}: this type has no words yet, in scripts/options.py")
    return f"{named[language]} {WORDS['and'][language].join(_bounds(metadata))}".rstrip()


def _bounds(metadata: Iterable[Any]) -> Iterator[str]:
    for one in metadata:
        if isinstance(one, FieldInfo):
            yield from _bounds(one.metadata)
        for name, text in BOUNDS.items():
            if (bound := getattr(one, name, None)) is not None:
                yield text.format(bound)


def _default(value: Any) -> str:
    """As TOML has it; nothing where nothing is said."""
    if value is None:
        return ""
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)}`"
