from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.drawn import pixels, words

from honshi.reports.confusion import draw_confusion


def darkest(path: Path) -> tuple[str, str]:
    """Where in a picture of two classes the darkest blue lies: above or below, left or right."""
    red, _, blue = pixels(path).transpose(2, 0, 1)
    shade = np.where(blue - red > 60, blue, 255)
    rows, columns = np.nonzero(shade == shade.min())
    height, width = red.shape
    return ("above" if rows.mean() < height / 2 else "below", "left" if columns.mean() < width / 2 else "right")


@pytest.mark.parametrize(
    ("matrix", "place"),
    [
        ([[9, 0], [0, 0]], ("above", "left")),
        ([[0, 9], [0, 0]], ("above", "right")),
        ([[0, 0], [9, 0]], ("below", "left")),
    ],
)
def test_a_row_is_a_true_class_and_a_column_a_predicted_one(
    tmp_path: Path, matrix: list[list[int]], place: tuple[str, str]
) -> None:
    draw_confusion(matrix, ["cat", "dog"], tmp_path / "matrix.png")

    assert darkest(tmp_path / "matrix.png") == place


def test_the_shade_is_the_part_of_the_true_class_so_that_a_rare_class_shows_too(tmp_path: Path) -> None:
    draw_confusion([[900, 100], [0, 1]], ["cat", "dog"], tmp_path / "matrix.png")

    # All of the only dog is darker than nine tenths of the cats.
    assert darkest(tmp_path / "matrix.png") == ("below", "right")


def test_counts_and_classes_are_written(tmp_path: Path) -> None:
    draw_confusion([[70, 8], [0, 95]], ["cat", "dog"], tmp_path / "matrix.svg")

    written = words(tmp_path / "matrix.svg")
    assert {"70", "8", "95", "cat", "dog", "true", "predicted"} <= set(written)
    assert "0" not in written
    assert written.count("cat") == written.count("dog") == 2


def test_of_many_classes_the_counts_are_left_out_and_the_picture_grows(tmp_path: Path) -> None:
    matrix = [[777 if true == predicted else 0 for predicted in range(31)] for true in range(31)]
    for size in (2, 30, 31):
        part = [row[:size] for row in matrix[:size]]
        draw_confusion(part, [f"class {number}" for number in range(size)], tmp_path / f"{size}.svg")
        draw_confusion(part, [f"class {number}" for number in range(size)], tmp_path / f"{size}.png")

    assert words(tmp_path / "30.svg").count("777") == 30
    assert words(tmp_path / "31.svg").count("777") == 0
    assert words(tmp_path / "31.svg").count("class 30") == 2
    sides = [pixels(tmp_path / f"{size}.png").shape[:2] for size in (2, 30, 31)]
    assert all(height == width for height, width in sides)
    assert sides[0] < sides[1] < sides[2]
