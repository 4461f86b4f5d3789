from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from honshi.recipe import Recipe
from honshi.tuning.picture import draw
from honshi.tuning.space import with_space
from honshi.tuning.study import Trial

TRIALS = [
    Trial(0, "complete", 0.97, 10, 1.0, {"optimizer.lr.sgd": 0.1, "optimizer.kind": "sgd"}, "here/1", None),
    Trial(1, "pruned", 0.91, 1, 0.1, {"optimizer.lr.adam": 0.001, "optimizer.kind": "adam"}, "here/1", None),
    Trial(2, "pruned", None, 0, 0.1, {"optimizer.lr.sgd": 1.0, "optimizer.kind": "sgd"}, "here/1", "it diverged"),
    Trial(
        3, "complete", 0.98, 10, 1.0, {"optimizer.lr.sgd": 0.2, "optimizer.kind": "sgd", "layers": 2}, "here/1", None
    ),
]


@pytest.mark.parametrize("importance", [{}, {"optimizer.lr.sgd": 0.75, "optimizer.kind": 0.25, "layers": 0.0}])
@pytest.mark.parametrize("count", [1, 4])
def test_a_search_is_a_picture_however_little_there_is(
    tmp_path: Path, importance: dict[str, float], count: int
) -> None:
    draw(TRIALS[:count], importance, with_space(Recipe()), tmp_path / "tune.png")

    with Image.open(tmp_path / "tune.png") as picture:
        assert picture.size == (1650, 990)
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 50
