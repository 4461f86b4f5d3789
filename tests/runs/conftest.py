from __future__ import annotations

from pathlib import Path

import pytest

from honshi.recipe import Recipe
from honshi.runs import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of which nothing is there but its recipe."""
    return Run.create(Recipe(name="mine"), tmp_path / "run")
