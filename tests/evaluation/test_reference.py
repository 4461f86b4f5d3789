from __future__ import annotations

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

import honshi
from honshi.data import Images
from honshi.evaluation.reference import nearest_neighbour


def test_it_is_the_leave_one_out_score_of_one_nearest_neighbour(mnist: honshi.Splits) -> None:
    images = mnist.train.subset(range(300))
    pixels, labels = images.pixels.flatten(1).numpy() / 255, images.labels.numpy()
    right = 0
    for i in range(300):
        others = [j for j in range(300) if j != i]
        right += KNeighborsClassifier(1).fit(pixels[others], labels[others]).predict(pixels[[i]])[0] == labels[i]

    assert nearest_neighbour(images) == pytest.approx(right / 300)


def test_an_image_is_not_its_own_neighbour() -> None:
    pixels = torch.tensor([[0, 0], [1, 1], [9, 9], [8, 8]], dtype=torch.uint8).view(4, 1, 1, 2)
    images = Images(pixels=pixels, labels=torch.tensor([0, 1, 0, 1]), classes=("a", "b"))

    assert nearest_neighbour(images) == 0


def test_only_so_many_images_are_searched(mnist: honshi.Splits) -> None:
    few = nearest_neighbour(mnist.train, searched=100, asked=100)
    many = nearest_neighbour(mnist.train, searched=3000, asked=500)

    assert few < 0.85 < many


def test_large_images_are_compared_by_means_and_in_little_memory() -> None:
    cells = torch.randint(0, 256, (60, 3, 8, 8), dtype=torch.uint8)
    large = cells.repeat_interleave(16, 2).repeat_interleave(16, 3)
    labels = torch.arange(60) % 3
    small = Images(pixels=cells, labels=labels, classes=("a", "b", "c"))

    found = nearest_neighbour(Images(pixels=large, labels=labels, classes=("a", "b", "c")))

    assert found == nearest_neighbour(small)
