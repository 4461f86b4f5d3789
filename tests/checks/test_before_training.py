from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import honshi
from honshi.checks import Finding, before_training


@pytest.fixture(scope="module")
def images(mnist: honshi.Splits) -> honshi.Images:
    return mnist.train.subset(range(2000))


def found(mnist: honshi.Splits, images: honshi.Images, **changes: object) -> dict[str, Finding]:
    parts = {"pixels": images.pixels, "labels": images.labels, "classes": images.classes} | changes
    train = honshi.Images(**parts)  # type: ignore[arg-type]
    return {finding.check: finding for finding in before_training(replace(mnist, train=train))}


def test_of_good_data_nothing_is_said_and_it_takes_no_time(mnist: honshi.Splits) -> None:
    started = time.perf_counter()

    assert before_training(mnist) == []
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("label", [0, 9, 200])
def test_a_single_class_is_nothing_to_learn(label: int, mnist: honshi.Splits, images: honshi.Images) -> None:
    classes = tuple(map(str, range(label + 1)))

    findings = found(mnist, images, labels=torch.full_like(images.labels, label), classes=classes)

    assert findings["class balance"].level == "fail"
    assert "All images are of one class" in findings["class balance"].sentence


def test_a_class_without_images_is_named(mnist: honshi.Splits, images: honshi.Images) -> None:
    there = images.labels != 7

    findings = found(mnist, images, pixels=images.pixels[there], labels=images.labels[there])

    assert findings["class balance"].level == "warn"
    assert "class 7:" in findings["class balance"].sentence


def test_labels_from_1_are_told_by_a_word_of_their_own(mnist: honshi.Splits, images: honshi.Images) -> None:
    findings = found(mnist, images, labels=images.labels + 1, classes=tuple(map(str, range(11))))

    assert set(findings) == {"labels"}
    assert findings["labels"].level == "warn"
    assert "from 1 to 10" in findings["labels"].sentence


def test_characters_that_lie_on_their_side_are_seen(mnist: honshi.Splits, images: honshi.Images) -> None:
    findings = found(mnist, images, pixels=images.pixels.transpose(2, 3).contiguous())

    assert set(findings) == {"upright"}
    assert "EMNIST" in findings["upright"].sentence


@pytest.mark.parametrize(("blank", "level"), [(slice(0, 20), "warn"), (slice(None), "fail")])
def test_images_with_nothing_in_them_are_seen(
    blank: slice, level: str, mnist: honshi.Splits, images: honshi.Images
) -> None:
    pixels: Tensor = images.pixels.clone()
    pixels[blank] = 77

    findings = found(mnist, images, pixels=pixels)

    assert findings["images"].level == level


@pytest.mark.parametrize(("n", "level"), [(99, "warn"), (0, "fail")])
def test_few_validation_images_are_told_with_what_they_can_say(n: int, level: str, mnist: honshi.Splits) -> None:
    findings = before_training(replace(mnist, val=mnist.val.subset(range(n))))

    assert [(finding.check, finding.level) for finding in findings] == [("validation", level)]
