"""Every error is a sentence with named places and what belongs there, so that it can be said in another language."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import honshi
from honshi import errors
from honshi.messages import Message

SOURCES = sorted(Path(honshi.__file__).parent.rglob("*.py"))
# What takes a sentence, and as which argument.
SAYING = {Message.__name__: 0} | {
    name: 2 if name == "IdxError" else 0
    for name, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, errors.HonshiError)
}


def filled_in_beforehand(source: str) -> Iterator[int]:
    """The lines at which an error or a message is given a text that has been put together already."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        place = SAYING.get(name)
        if place is None or len(node.args) <= place:
            continue
        if any(isinstance(part, ast.JoinedStr | ast.BinOp) for part in ast.walk(node.args[place])):
            yield node.lineno


def test_no_error_is_given_a_text_with_the_values_in_it_already() -> None:
    root = Path(honshi.__file__).parent
    found = [
        f"{path.relative_to(root)}:{line}" for path in SOURCES for line in filled_in_beforehand(path.read_text("utf-8"))
    ]
    assert found == [], "\n".join(found)


def test_the_search_finds_such_texts() -> None:
    assert list(filled_in_beforehand('raise RequestError(f"{path}: no such file.")')) == [1]
    assert list(filled_in_beforehand('raise IdxError(path, 3, f"{n} bytes")')) == [1]
    assert list(filled_in_beforehand('raise errors.DataError("a" + problem)')) == [1]
    assert list(filled_in_beforehand('raise RequestError("{path}: no such file.", path=path)')) == []


def places_without_values(source: str) -> Iterator[str]:
    """Sentences whose named places and parameters are not the same."""
    import string

    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        place = SAYING.get(name)
        if place is None or len(node.args) <= place or any(keyword.arg is None for keyword in node.keywords):
            continue
        sentence = node.args[place]
        if not (isinstance(sentence, ast.Constant) and isinstance(sentence.value, str)) or not node.keywords:
            continue
        named = {field for _, field, _, _ in string.Formatter().parse(sentence.value) if field is not None}
        given = {keyword.arg for keyword in node.keywords}
        if named != given:
            yield f"line {node.lineno}: places {sorted(named)}, parameters {sorted(map(str, given))}"


def test_every_place_has_its_parameter() -> None:
    found = {
        str(path.name): problems
        for path in SOURCES
        if (problems := list(places_without_values(path.read_text("utf-8"))))
    }
    assert found == {}
