from __future__ import annotations

import pytest

from honshi.evaluation.diagnosis import split_verdict
from honshi.evaluation.history import Row
from honshi.evaluation.intervals import wilson


def row(train_accuracy: float, val_accuracy: float) -> Row:
    return Row(5, 0.1, train_accuracy, 0.2, val_accuracy, lr=0.1, seconds=1.0)


def test_training_far_above_validation_is_more_than_chance() -> None:
    assert "training 5.00 points above it: more than chance" in split_verdict(row(0.99, 0.94), 6000)


def test_training_far_below_validation_is_no_overfitting() -> None:
    verdict = split_verdict(row(0.90, 0.94), 6000)

    assert "training 4.00 points below it" in verdict
    assert "more than chance" not in verdict


def test_a_gap_within_the_interval_is_none_that_so_many_images_could_show() -> None:
    assert "no gap that 6,000 images could show" in split_verdict(row(0.9425, 0.94), 6000)


@pytest.mark.parametrize(("val_size", "finding"), [(100, "no gap"), (10_000, "more than chance")])
def test_the_same_gap_counts_only_where_there_are_images_enough_to_show_it(val_size: int, finding: str) -> None:
    assert finding in split_verdict(row(0.97, 0.95), val_size)


def test_the_verdict_gives_its_evidence() -> None:
    lower, upper = wilson(4700, 5000)

    verdict = split_verdict(row(0.94, 0.94), 5000)

    assert verdict.startswith("validation 94.00%")
    assert f"95 % interval {lower:.2%} to {upper:.2%}, n = 5,000" in verdict
