from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

import honshi
from honshi.data.copies import Leak
from honshi.reports.side_by_side import draw_leaks


def images(count: int, channels: int = 1) -> honshi.Images:
    return honshi.Images(
        pixels=torch.zeros(count, channels, 8, 8, dtype=torch.uint8),
        labels=torch.arange(count) % 2,
        classes=("cat", "dog"),
    )


def near(left: int, right: int) -> Leak:
    return Leak(left=left, right=right, kind="near", distance=0.0421, labels_differ=left % 2 != right % 2)


def words(path: Path) -> str:
    # Letters in the file are shapes; beside them stands, as a comment, what they spell.
    return path.read_text()


def test_each_pair_says_its_places_its_distance_and_its_class(tmp_path: Path) -> None:
    draw_leaks([near(2, 4)], images(5), images(5), tmp_path / "leaks.svg")

    content = words(tmp_path / "leaks.svg")
    assert "<!-- 2 | 4: near, 0.042 -->" in content
    assert "<!-- cat -->" in content
    assert "dog" not in content


def test_an_exact_pair_needs_no_distance(tmp_path: Path) -> None:
    exact = Leak(left=0, right=2, kind="exact", distance=0.0, labels_differ=False)
    draw_leaks([exact], images(3), images(3), tmp_path / "leaks.svg")

    assert "<!-- 0 | 2: exact -->" in words(tmp_path / "leaks.svg")


def test_both_classes_are_named_where_they_differ(tmp_path: Path) -> None:
    draw_leaks([near(1, 2)], images(3), images(3), tmp_path / "leaks.svg")

    assert "<!-- dog | cat -->" in words(tmp_path / "leaks.svg")


def test_the_left_image_stands_left_of_the_right_one(tmp_path: Path) -> None:
    left, right = images(1, channels=3), images(1, channels=3)
    left.pixels[:, 0], right.pixels[:, 2] = 255, 255
    draw_leaks([near(0, 0)], left, right, tmp_path / "leaks.png")

    with Image.open(tmp_path / "leaks.png") as picture:
        rgb = picture.convert("RGB")
    places = {
        colour: [x for x in range(rgb.width) for y in range(rgb.height) if rgb.getpixel((x, y)) == colour]
        for colour in ((255, 0, 0), (0, 0, 255))
    }
    assert max(places[255, 0, 0]) < min(places[0, 0, 255])


def test_no_more_than_24_pairs_are_drawn_and_the_title_tells(tmp_path: Path) -> None:
    draw_leaks([near(0, place) for place in range(30)], images(1), images(30), tmp_path / "leaks.svg")

    content = words(tmp_path / "leaks.svg")
    assert content.count(": near, ") == 24
    assert "<!-- 30 leaks among the 30 images on the right; the first 24 -->" in content


@pytest.mark.parametrize("count", [0, 1, 24])
def test_any_number_of_pairs_can_be_drawn(tmp_path: Path, count: int) -> None:
    draw_leaks([near(0, 0)] * count, images(1), images(1), tmp_path / "leaks.png")

    with Image.open(tmp_path / "leaks.png") as picture:
        assert picture.width == 1560
