from __future__ import annotations

from pathlib import Path

from PIL import Image

from honshi.reports.confusion import draw_confusion


def test_a_picture_is_drawn_for_few_classes_and_for_many(tmp_path: Path) -> None:
    for size in (2, 40):
        matrix = [[10 if true == predicted else 1 for predicted in range(size)] for true in range(size)]
        draw_confusion(matrix, [f"class {number}" for number in range(size)], tmp_path / f"{size}.png")

        with Image.open(tmp_path / f"{size}.png") as picture:
            assert picture.width == picture.height


def test_a_class_without_images_is_no_division_by_zero(tmp_path: Path) -> None:
    draw_confusion([[3, 0], [0, 0]], ["there", "absent"], tmp_path / "matrix.png")

    assert (tmp_path / "matrix.png").exists()
