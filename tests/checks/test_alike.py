"""Pictures of one thing on both sides of the split are told by a backbone's features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
import torch
from torch import Tensor, nn

import honshi
from honshi.checks.alike import FEWEST, check_alike, near_ones
from honshi.data import Examples, Images, Splits
from honshi.features.seen import Features
from honshi.models import MLP

DIMENSIONS = 64
Parts: TypeAlias = Callable[..., Splits[Examples]]


def features(values: Tensor, labels: Tensor) -> Features:
    pixels = torch.zeros(len(values), 1, 8, 8, dtype=torch.uint8)
    return Features(values, Images(pixels=pixels, labels=labels, classes=("cat", "dog")))


@pytest.fixture(scope="module")
def parts(mnist: Splits) -> Parts:
    """Splits of a training and a validation part; of folds where the units are given."""

    def made(train: Features, val: Features, units: Tensor | None = None) -> Splits[Examples]:
        manifest = replace(mnist.manifest, by_folds=units is not None or None)
        return Splits[Examples](train=train, val=val, test=mnist.test, manifest=manifest, units=units)

    return made


def things(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Different things (n, d) of two classes (n,)."""
    draws = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    return torch.randn(count, DIMENSIONS, generator=draws) + 3 * labels.unsqueeze(1), labels


def seen_again(values: Tensor, how_much: float) -> Tensor:
    return values + how_much * torch.randn(values.shape, generator=torch.Generator().manual_seed(9))


@pytest.fixture
def train() -> Features:
    return features(*things(400, seed=0))


def test_different_things_are_passed(train: Features, parts: Parts) -> None:
    (finding,) = check_alike(parts(train, features(*things(100, seed=1))))
    assert finding.level == "pass"
    assert finding.sentence.startswith("0 of 100 validation images")


def test_the_same_things_seen_again_are_warned_of_with_what_mends_it(train: Features, parts: Parts) -> None:
    val = features(seen_again(train.values[:100], 0.1), train.labels[:100])
    (finding,) = check_alike(parts(train, val))
    assert finding.level == "warn"
    assert finding.sentence.startswith("100 of 100 validation images")
    assert "--group PATTERN" in finding.sentence


def test_some_that_are_seen_again_are_counted_but_are_no_warning(train: Features, parts: Parts) -> None:
    values, labels = things(100, seed=1)
    values[:10], labels[:10] = seen_again(train.values[:10], 0.1), train.labels[:10]
    (finding,) = check_alike(parts(train, features(values, labels)))
    assert (finding.level, finding.sentence[:9]) == ("pass", "10 of 100")


def test_a_picture_of_another_class_is_no_neighbour(train: Features) -> None:
    val = features(seen_again(train.values[:100], 0.1), 1 - train.labels[:100])
    assert near_ones(train, val) == (0, 100)


def test_of_few_images_and_of_small_classes_nothing_is_said(train: Features, parts: Parts) -> None:
    few = features(*things(FEWEST - 1, seed=1))
    assert check_alike(parts(train, few)) == []
    assert check_alike(parts(few, train)) == []


def test_the_scale_of_single_features_does_not_decide(train: Features) -> None:
    values, labels = things(100, seed=1)
    scales = torch.logspace(-3, 3, DIMENSIONS)
    scaled = features(train.values * scales, train.labels), features(values * scales, labels)
    assert near_ones(*scaled) == near_ones(train, features(values, labels))


def test_folds_are_looked_at_where_they_are_the_mock_exam(train: Features, parts: Parts) -> None:
    twice = features(torch.cat([train.values, seen_again(train.values, 0.1)]), torch.cat([train.labels, train.labels]))
    torn, kept = torch.arange(800), torch.arange(400).repeat(2)
    assert [finding.level for finding in check_alike(parts(twice, twice, torn))] == ["warn"]
    assert [finding.level for finding in check_alike(parts(twice, twice, kept))] == ["pass"]


def test_images_themselves_are_left_to_the_search_for_leaks(mnist: Splits) -> None:
    assert check_alike(mnist) == []


def test_the_checks_of_a_head_say_it(train: Features, parts: Parts) -> None:
    val = features(seen_again(train.values[:100], 0.1), train.labels[:100])
    head: nn.Module = MLP(inputs=DIMENSIONS, hidden=(), classes=2)
    report = honshi.check(head, parts(train, val))
    assert [finding.level for finding in report.findings if finding.check == "alike"] == ["warn"]
