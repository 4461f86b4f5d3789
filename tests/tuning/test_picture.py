from __future__ import annotations

from pathlib import Path

import pytest
from tests.drawn import colours, pixels, words

from honshi.recipe import Recipe
from honshi.tuning.picture import BEST, COMPLETE, draw
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

    assert pixels(tmp_path / "tune.png").shape == (990, 1650, 3)
    assert {COMPLETE, BEST} <= colours(tmp_path / "tune.png")


def test_the_best_and_what_mattered_are_written(tmp_path: Path) -> None:
    importance = {"optimizer.lr.sgd": 0.75, "optimizer.kind": 0.25}

    draw(TRIALS, importance, with_space(Recipe()), tmp_path / "tune.svg")
    draw(TRIALS[:1], {}, with_space(Recipe()), tmp_path / "one.svg")

    written = words(tmp_path / "tune.svg")
    assert {"best: 98.00%", "stopped early", "complete", "sgd", "adam"} <= set(written)
    # Each is named beside its bar and under its slice.
    assert written.count("optimizer.lr.sgd") == written.count("optimizer.kind") == 2
    assert "too few trials to tell" not in written
    assert {"best: 97.00%", "too few trials to tell"} <= set(words(tmp_path / "one.svg"))
    assert "stopped early" not in words(tmp_path / "one.svg")
