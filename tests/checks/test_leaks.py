from __future__ import annotations

from pathlib import Path

import pytest
import torch

import honshi
from honshi.checks import leaks as checked
from honshi.checks.leaks import describe, leaks_into_validation, without, without_leaks
from honshi.data.copies import Leak


@pytest.fixture
def leaky(mnist: honshi.Splits) -> honshi.Splits:
    """A small part of MNIST in which the first five validation images stand twice among the training images."""
    val = mnist.val.subset(range(300))
    pixels = torch.cat([mnist.train.pixels[:2000], val.pixels[:5], val.pixels[:5]])
    labels = torch.cat([mnist.train.labels[:2000], val.labels[:5], val.labels[:5]])
    train = honshi.Images(pixels=pixels, labels=labels, classes=val.classes, normalization=val.normalization)
    return without(honshi.Splits(train, val, mnist.test, mnist.manifest), [])


def test_copies_of_validation_images_are_found(leaky: honshi.Splits) -> None:
    leaks = leaks_into_validation(leaky)

    assert [(leak.kind, leak.right) for leak in leaks] == [("exact", place) for place in range(5)]


def test_the_same_images_are_searched_once(
    leaky: honshi.Splits, honshi_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = leaks_into_validation(leaky)
    monkeypatch.setattr(checked, "find_leaks", lambda *_: pytest.fail("searched again"))

    assert leaks_into_validation(leaky) == first
    assert len(list((honshi_home / "leaks").iterdir())) == 1


def test_a_damaged_answer_is_searched_for_again(leaky: honshi.Splits, honshi_home: Path) -> None:
    first = leaks_into_validation(leaky)
    (answer,) = (honshi_home / "leaks").iterdir()
    answer.write_text("{")

    assert leaks_into_validation(leaky) == first


def test_dropping_takes_every_copy_out_of_train_and_leaves_validation_whole(leaky: honshi.Splits) -> None:
    clean = without_leaks(leaky)

    assert len(clean.train) == 2000
    assert torch.equal(clean.train.pixels, leaky.train.pixels[:2000])
    assert clean.val is leaky.val
    assert clean.manifest.train_sha256 == clean.train.sha256()
    assert clean.manifest.train_size == 2000


def test_the_line_for_people_counts_both_kinds() -> None:
    exact = Leak(left=0, right=0, kind="exact", distance=0.0, labels_differ=False)
    near = Leak(left=1, right=2, kind="near", distance=0.1, labels_differ=True)

    assert describe([], "validation", 100) == "no validation image is among the training images"
    assert "2 of 100 validation images" in describe([exact, near], "validation", 100)
    assert "(1 exactly, 1 nearly)" in describe([exact, near], "validation", 100)
