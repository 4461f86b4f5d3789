from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.drawn import pixels

import honshi
from honshi.data.copies import find_leaks, shared_places
from honshi.reports.side_by_side import draw_leaks


@pytest.fixture
def train(mnist: honshi.Splits) -> honshi.Images:
    return mnist.train.subset(range(1000))


@pytest.fixture
def test_images(mnist: honshi.Splits, train: honshi.Images) -> honshi.Images:
    """200 images of which the last two are training images 7 and 8, the second one moved by a pixel."""
    others = mnist.val.subset(range(198))
    moved = torch.roll(train.pixels[8:9], 1, dims=-1)
    return honshi.Images(
        pixels=torch.cat([others.pixels, train.pixels[7:8], moved]),
        labels=torch.cat([others.labels, train.labels[7:9]]),
        classes=train.classes,
    )


def test_the_places_of_training_images_that_are_tested_are_told(
    train: honshi.Images, test_images: honshi.Images
) -> None:
    twice = train.subset([*range(1000), 7])

    assert shared_places(twice, test_images) == [7, 8, 1000]


def test_the_exam_counts_leaks_and_scores_without_them(
    train: honshi.Images, test_images: honshi.Images, tmp_path: Path
) -> None:
    model = honshi.models.MLP()

    result = honshi.test(model, honshi.Sealed("some", lambda: test_images), train=train, pictures=tmp_path)

    assert result.leaks == {"exact": 1, "near": 1}
    assert result.n == 200
    assert result.without_leaks is not None
    assert result.without_leaks["n"] == 198
    assert result.without_leaks["accuracy"] == honshi.evaluate(model, test_images.subset(range(198))).accuracy
    draw_leaks(find_leaks(train, test_images), train, test_images, tmp_path / "again.png")
    assert np.array_equal(pixels(tmp_path / "test-leaks.png"), pixels(tmp_path / "again.png"))


def test_without_training_images_nobody_looks(test_images: honshi.Images) -> None:
    result = honshi.test(honshi.models.MLP(), honshi.Sealed("some", lambda: test_images))

    assert (result.leaks, result.without_leaks) == (None, None)
