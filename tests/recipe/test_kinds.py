"""Whoever wants to know what a kind can asks it."""

from __future__ import annotations

import ast
from pathlib import Path

import honshi
from honshi.recipe import CNNOptions, MLPOptions

SOURCES = Path(honshi.__file__).parent


def test_nobody_but_the_recipe_knows_the_options_of_one_kind_of_model() -> None:
    own = {MLPOptions.__name__, CNNOptions.__name__}
    naming = {
        path.relative_to(SOURCES).parts[0]
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if {getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None)} & own
    }

    assert naming == {"recipe"}
