from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

import honshi
from honshi.data import copies, leak_policy
from honshi.data.copies import Leak, shared_places
from honshi.data.leak_policy import compared, describe, leaks_into_validation, places_without_leaks
from honshi.errors import DataError
from honshi.files import write_json

Sides = tuple[honshi.Images, honshi.Images]


@pytest.fixture
def leaky(mnist: honshi.Splits) -> Sides:
    """A small part of MNIST in which the first five validation images stand twice among the training images."""
    val = mnist.val.subset(range(300))
    pixels = torch.cat([mnist.train.pixels[:2000], val.pixels[:5], val.pixels[:5]])
    labels = torch.cat([mnist.train.labels[:2000], val.labels[:5], val.labels[:5]])
    return honshi.Images(pixels=pixels, labels=labels, classes=val.classes, normalization=val.normalization), val


def sealed(images: honshi.Images) -> honshi.Sealed:
    return honshi.Sealed("some", lambda: images, shared=lambda train: shared_places(train, images))


def test_copies_of_validation_images_are_found(leaky: Sides) -> None:
    leaks = leaks_into_validation(*leaky)

    assert [(leak.kind, leak.right) for leak in leaks] == [("exact", place) for place in range(5)]


def test_the_same_images_are_searched_once(leaky: Sides, honshi_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = leaks_into_validation(*leaky)
    monkeypatch.setattr(leak_policy, "find_leaks", lambda *_: pytest.fail("searched again"))

    assert leaks_into_validation(*leaky) == first
    assert len(list((honshi_home / "leaks").iterdir())) == 1


def test_the_same_images_in_another_order_are_searched_anew(leaky: Sides) -> None:
    train, val = leaky
    leaks_into_validation(train, val)

    turned = leaks_into_validation(train.subset(range(len(train) - 1, -1, -1)), val)

    assert [leak.left for leak in turned] == [4, 3, 2, 1, 0]


def test_what_the_first_version_found_out_is_taken_over(
    leaky: Sides, honshi_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Leak(left=3, right=4, kind="near", distance=0.1, labels_differ=False)]
    sides = hashlib.sha256((leaky[0].sha256() + leaky[1].sha256()).encode()).hexdigest()
    write_json(honshi_home / "leaks" / f"{sides}.json", [asdict(leak) for leak in found])
    monkeypatch.setattr(leak_policy, "find_leaks", lambda *_: pytest.fail("searched again"))

    assert leaks_into_validation(*leaky) == found


def test_a_damaged_answer_is_searched_for_again(leaky: Sides, honshi_home: Path) -> None:
    first = leaks_into_validation(*leaky)
    (answer,) = (honshi_home / "leaks").iterdir()
    answer.write_text("{")

    assert leaks_into_validation(*leaky) == first


def test_dropping_takes_every_copy_of_validation_and_test_images_out_of_train(leaky: Sides) -> None:
    train, val = leaky

    places = places_without_leaks(train, val, sealed(train.subset([7, 1999])))

    assert places.tolist() == [place for place in range(2000) if place not in (7, 1999)]


def test_a_test_set_that_cannot_tell_what_it_shares_says_so(leaky: Sides) -> None:
    train, val = leaky

    with pytest.raises(DataError, match="cannot tell which images it shares"):
        places_without_leaks(train, val, honshi.Sealed("some", lambda: val))


def test_the_line_for_people_counts_both_kinds() -> None:
    exact = Leak(left=0, right=0, kind="exact", distance=0.0, labels_differ=False)
    near = Leak(left=1, right=2, kind="near", distance=0.1, labels_differ=True)

    assert str(describe([], 100)) == "no validation image is among the training images"
    assert "2 of 100 validation images" in str(describe([exact, near], 100))
    assert "(1 exactly, 1 nearly)" in str(describe([exact, near], 100))


@pytest.mark.parametrize(
    ("side", "most", "words"),
    [
        (28, 4_000_000_000, "moved further are not found"),
        (28, 9, "There are too many to look for every other copy: 1 of 3 validation images"),
        (7, 4_000_000_000, "too small"),
    ],
)
def test_it_is_said_what_is_compared_and_what_is_not(
    side: int, most: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "MOST_PAIRS", most)
    pixels, labels = torch.zeros(9, 1, side, side, dtype=torch.uint8), torch.zeros(9, dtype=torch.int64)
    train = honshi.Images(pixels=pixels, labels=labels, classes=("all",))

    assert words in str(compared(train, train.subset(range(3))))
