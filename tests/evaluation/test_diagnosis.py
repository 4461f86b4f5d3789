from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import honshi
from honshi.errors import NonFiniteLossError
from honshi.evaluation.diagnosis import Diagnosis, Divergence, Verdict, diagnose, split_verdict
from honshi.evaluation.evidence import Measured
from honshi.evaluation.history import Row
from honshi.evaluation.intervals import wilson
from honshi.experiment import Experiment, diagnose_training, load_splits
from honshi.recipe import Recipe


def row(train_accuracy: float, val_accuracy: float) -> Row:
    return Row(5, 0.1, train_accuracy, 0.2, val_accuracy, lr=0.1, seconds=1.0)


def test_training_far_above_validation_is_more_than_chance() -> None:
    assert "training 5.00 points above it: more than chance" in str(split_verdict(row(0.99, 0.94), 6000))


def test_training_far_below_validation_is_no_overfitting() -> None:
    verdict = str(split_verdict(row(0.90, 0.94), 6000))

    assert "training 4.00 points below it" in verdict
    assert "more than chance" not in verdict


def test_a_gap_within_the_interval_is_none_that_so_many_images_could_show() -> None:
    assert "no gap that 6,000 images could show" in str(split_verdict(row(0.9425, 0.94), 6000))


@pytest.mark.parametrize(("val_size", "finding"), [(100, "no gap"), (10_000, "more than chance")])
def test_the_same_gap_counts_only_where_there_are_images_enough_to_show_it(val_size: int, finding: str) -> None:
    assert finding in str(split_verdict(row(0.97, 0.95), val_size))


def test_the_verdict_gives_its_evidence() -> None:
    lower, upper = wilson(4700, 5000)

    verdict = str(split_verdict(row(0.94, 0.94), 5000))

    assert verdict.startswith("Validation 94.00%")
    assert f"95 % interval {lower:.2%} to {upper:.2%}, n = 5,000" in verdict


def rows_of(losses: list[tuple[float, float]], accuracy: float = 0.5, lr: float = 0.1) -> list[Row]:
    """A history with these training and validation losses."""
    return [Row(epoch, train, accuracy, val, accuracy, lr, 1.0) for epoch, (train, val) in enumerate(losses, start=1)]


# Each verdict is shown on trainings that were made to deserve it, from three seeds.
CASES: dict[str, tuple[dict[str, Any], tuple[Verdict, ...]]] = {
    "enough images, a falling rate": (
        {
            "data.subset": 40000,
            "training.epochs": 5,
            "training.batch_size": 128,
            "model.dropout": 0.1,
            "schedule.kind": "one-cycle",
            "optimizer.lr": 0.05,
            "optimizer.momentum": 0.9,
        },
        ("good-fit",),
    ),
    "a linear model": (
        {"data.subset": 10000, "model.hidden": [], "optimizer.lr": 0.02, "training.epochs": 15},
        ("underfitting",),
    ),
    "three hidden units": (
        {"data.subset": 2000, "model.hidden": [3], "optimizer.lr": 0.05, "training.epochs": 40},
        ("underfitting", "stuck"),
    ),
    "too few images, for too long": (
        {
            "data.subset": 500,
            "optimizer.lr": 0.01,
            "optimizer.momentum": 0.9,
            "training.epochs": 40,
        },
        ("overfitting",),
    ),
    "a rate far too high": ({"data.subset": 2000, "optimizer.lr": 3.0}, ("diverged",)),
    "a rate beyond all numbers": ({"data.subset": 500, "optimizer.lr": 1e20}, ("diverged",)),
    "a rate too high": (
        {"data.subset": 2000, "model.hidden": [], "optimizer.lr": 1.0, "training.epochs": 15},
        ("unstable",),
    ),
    "a rate far too low": ({"data.subset": 1000, "optimizer.lr": 0.001}, ("plateaued",)),
    "too few epochs": (
        {"data.subset": 2000, "optimizer.lr": 0.01, "training.epochs": 6},
        ("still-learning",),
    ),
    "60 validation images": (
        {"data.subset": 4000, "data.val": 0.001, "optimizer.lr": 0.05, "training.epochs": 8},
        ("too-noisy",),
    ),
    "a network of two units, dead": (
        {"data.subset": 2000, "model.hidden": [2], "training.epochs": 20},
        ("stuck",),
    ),
}


def diagnosed(recipe: Recipe, splits: honshi.Splits) -> Diagnosis:
    """Train, in memory, and diagnose."""
    experiment = Experiment.build(recipe, splits)
    rows: list[Row] = []
    divergence = None
    try:
        experiment.fit(on_epoch=rows.append)
    except NonFiniteLossError as error:
        divergence = Divergence(error.epoch, error.step, str(error))
    return diagnose_training(recipe, splits, rows, experiment.model, divergence)


@pytest.mark.parametrize("case", CASES)
def test_a_training_gets_the_verdict_that_it_was_made_for(case: str) -> None:
    changes, expected = CASES[case]
    recipe = Recipe.read("lecture").changed(changes)
    splits = load_splits(recipe)

    verdicts = [diagnosed(recipe.changed({"training.seed": seed}), splits).verdict for seed in range(3)]

    assert set(verdicts) <= set(expected)


def test_learning_wrong_labels_by_heart_is_overfitting_since_the_best_epoch() -> None:
    recipe = Recipe.read("lecture").changed(
        {"data.subset": 2000, "optimizer.kind": "adam", "optimizer.lr": 0.001, "training.epochs": 40}
    )
    splits = load_splits(recipe)
    draws = torch.Generator().manual_seed(0)
    wrong = torch.rand(2000, generator=draws) < 0.4
    labels = torch.where(wrong, torch.randint(0, 10, (2000,), generator=draws), splits.train.labels)
    splits = dataclasses.replace(splits, train=dataclasses.replace(splits.train, labels=labels))

    diagnosis = diagnosed(recipe, splits)

    assert diagnosis.verdict == "overfitting"
    assert diagnosis.evidence is not None
    assert diagnosis.epoch == diagnosis.evidence.best_epoch < 40
    assert str(diagnosis.sentence).startswith(f"Overfitting since epoch {diagnosis.epoch}")


def test_the_gap_is_that_of_eval_mode() -> None:
    # Along the way dropout hides that the images were learnt by heart.
    rows = [Row(epoch, 0.5, 0.85, 0.4, 0.88, 0.1, 1.0) for epoch in range(1, 9)]

    blurred = diagnose(rows, val_size=6000, guessing_loss=2.3)
    measured = diagnose(rows, val_size=6000, guessing_loss=2.3, train=Measured(1000, 0.01, 0.999))

    assert blurred.verdict == "good-fit"
    assert measured.verdict == "overfitting"
    assert measured.evidence is not None
    assert measured.evidence.gap == pytest.approx(0.119)


def test_a_gap_that_the_validation_set_cannot_show_is_none() -> None:
    rows = [Row(epoch, 0.1, 0.97, 0.3, 0.90, 0.1, 1.0) for epoch in range(1, 9)]
    train = Measured(1000, 0.1, 0.97)

    assert diagnose(rows, val_size=6000, guessing_loss=2.3, train=train).verdict == "overfitting"
    assert diagnose(rows, val_size=60, guessing_loss=2.3, train=train).verdict == "too-noisy"


def test_a_loss_that_falls_because_the_rate_does_promises_nothing() -> None:
    losses = [(value, value) for value in (2.0, 1.0, 0.6, 0.5, 0.4, 0.3)]
    constant = rows_of(losses, accuracy=0.9)
    annealed = [dataclasses.replace(row, lr=0.1 / row.epoch) for row in constant]

    assert diagnose(constant, val_size=6000, guessing_loss=2.3).verdict == "still-learning"
    assert diagnose(annealed, val_size=6000, guessing_loss=2.3).verdict == "good-fit"


def test_one_jump_alone_is_no_unrest() -> None:
    losses = [0.5, 0.4, 0.39, 0.38, 0.9, 0.37, 0.37, 0.37, 0.36]
    once = [(0.4, loss) for loss in losses]
    often = [(0.4, loss * (2 if epoch % 2 else 1)) for epoch, loss in enumerate(losses)]

    assert diagnose(rows_of(once, 0.9), val_size=6000, guessing_loss=2.3).verdict == "good-fit"
    assert diagnose(rows_of(often, 0.9), val_size=6000, guessing_loss=2.3).verdict == "unstable"


def test_label_smoothing_does_not_hide_a_rise() -> None:
    plain = [(0.5, 1.0), (0.2, 0.3), (0.1, 0.4), (0.05, 0.45), (0.02, 0.45)]
    raised = [(train + 5, val + 5) for train, val in plain]

    assert diagnose(rows_of(plain, 0.9), val_size=6000, guessing_loss=2.3).epoch == 2
    assert diagnose(rows_of(raised, 0.9), val_size=6000, guessing_loss=7.3, loss_floor=5).epoch == 2


def test_neither_a_row_nor_a_divergence_is_nothing_to_diagnose() -> None:
    with pytest.raises(ValueError, match="neither a row"):
        diagnose([], val_size=100, guessing_loss=2.3)


LOSS = st.floats(0, 1e6)
HISTORIES = st.lists(st.tuples(LOSS, LOSS, st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12)


def history(values: list[tuple[float, float, float, float]], scale: float = 1.0) -> list[Row]:
    return [
        Row(epoch, train * scale, right, val * scale, val_right, 0.1, 1.0)
        for epoch, (train, val, right, val_right) in enumerate(values, start=1)
    ]


@given(values=HISTORIES, val_size=st.integers(1, 100_000), restore_best=st.booleans())
def test_any_history_gets_a_verdict_with_words_and_finite_evidence(
    values: list[tuple[float, float, float, float]], val_size: int, restore_best: bool
) -> None:
    diagnosis = diagnose(history(values), val_size=val_size, guessing_loss=2.3, restore_best=restore_best)

    assert str(diagnosis.sentence).endswith(".")
    assert diagnosis.epoch is None or 1 <= diagnosis.epoch <= len(values)
    assert diagnosis.evidence is not None
    assert len(diagnosis.evidence.sentences) >= 3
    json.dumps(diagnosis.to_dict(), allow_nan=False)


@given(values=HISTORIES, power=st.integers(-8, 8))
def test_the_unit_of_the_loss_does_not_matter(values: list[tuple[float, float, float, float]], power: int) -> None:
    # Powers of two: the same numbers to the last bit.
    scale = 2.0**power
    nats = diagnose(history(values), val_size=1000, guessing_loss=2.0)
    other = diagnose(history(values, scale), val_size=1000, guessing_loss=2.0 * scale)

    assert (nats.verdict, nats.epoch) == (other.verdict, other.epoch)


@given(values=HISTORIES, broken=st.sampled_from([math.nan, math.inf]), where=st.integers(0, 11))
def test_a_loss_that_is_no_number_is_a_divergence_there(
    values: list[tuple[float, float, float, float]], broken: float, where: int
) -> None:
    rows = history(values)
    where %= len(rows)
    rows[where] = dataclasses.replace(rows[where], val_loss=broken)

    diagnosis = diagnose(rows, val_size=1000, guessing_loss=2.3)

    assert (diagnosis.verdict, diagnosis.epoch) == ("diverged", where + 1)
