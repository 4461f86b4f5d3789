"""The lecture's data sets hold the pictures that honshi has, and never those of the sealed exam."""

from __future__ import annotations

import pytest
import torch

import honshi
from honshi.data import Splits
from honshi.errors import HonshiWarning
from honshi.lecture import datasets


def test_the_training_images_are_those_that_honshi_trains_on(mnist: Splits) -> None:
    ours = datasets.MNIST("./data", train=True, download=True)

    assert torch.equal(ours.data, mnist.train.pixels[:, 0])
    assert torch.equal(ours.targets, mnist.train.labels)
    assert (len(ours), ours.classes) == (54_000, list("0123456789"))
    picture, label = ours[-1]
    assert (picture.size, picture.mode, label) == ((28, 28), "L", int(mnist.train.labels[-1]))


def test_what_is_not_for_training_is_the_mock_exam_and_says_so(mnist: Splits) -> None:
    with pytest.warns(HonshiWarning, match=r"train=False is the mock exam here.*sealed until the end"):
        ours = datasets.MNIST(train=False)

    assert torch.equal(ours.data, mnist.val.pixels[:, 0])
    assert "mock exam" in repr(ours)


def test_targets_are_transformed_too() -> None:
    ours = datasets.MNIST(transform=lambda picture: picture.size, target_transform=lambda label: -label)

    assert ours[0] == ((28, 28), -int(ours.targets[0]))


def test_a_loop_over_it_ends() -> None:
    with pytest.raises(IndexError):
        datasets.MNIST()[54_000]


def test_honshi_load_gives_the_same_pictures(mnist: Splits) -> None:
    assert torch.equal(datasets.MNIST().data[:5], honshi.load("mnist").train.pixels[:5, 0])
