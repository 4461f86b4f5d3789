"""The numbers of a training: those of each built-in recipe are what they were when they were recorded.

A change of structure must not change what is computed. `numbers.json` beside the recorded runs holds the losses of
the first steps and the history of two short epochs. They are compared within what machines differ by: other vector
instructions and another BLAS add in another order, which float32 shows in the seventh digit and a few dozen
steps of descent amplify; bfloat16 rounds to three digits at each step.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from honshi.experiment import Experiment
from honshi.recipe import Recipe, built_in

RECORDED = json.loads((Path(__file__).parent / "recorded" / "numbers.json").read_text("utf-8"))
FIRST_STEPS = 3
# Without those that begin with weights that others have trained: they are for photographs, and have their own tests.
RECIPES = [name for name in built_in() if not Recipe.read(name).model.kept_views(augmented=False)]
# Of the recipe that was recorded: few images, and always MNIST, which is there without a network.
# What the recorded ones were computed in; by itself a recipe takes what is quicker on the machine.
PRECISION = dict.fromkeys(("fast99", "fast995", "best", "best-fashion"), "bfloat16")
SHORT = {"data.source": "mnist", "data.subset": 2000, "data.val": 0.01, "training.epochs": 2, "training.device": "cpu"}
COMPARED = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")


class EnoughStepsError(Exception):
    """The first steps are done."""


class Noting(nn.Module):
    """A loss that remembers its values. Being no loss of honshi's, it is trained by the readable loop."""

    def __init__(self, criterion: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.criterion = criterion
        self.values: list[float] = []

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss = self.criterion(logits, labels)
        self.values.append(loss.item())
        return loss


def built(name: str, **changes: Any) -> Experiment:
    precision = PRECISION.get(name, "float32")
    return Experiment.build(Recipe.read(name).changed({**SHORT, "training.precision": precision, **changes}))


def first_losses(name: str) -> list[float]:
    """The losses of the first steps, each before its step."""
    experiment = built(name)
    noting = Noting(experiment.criterion)

    def stop(step: int) -> None:
        if step == FIRST_STEPS:
            raise EnoughStepsError

    with pytest.raises(EnoughStepsError):
        replace(experiment, criterion=noting).fit(on_step=stop)
    return noting.values


def history(name: str, **changes: Any) -> list[dict[str, Any]]:
    """Two epochs, as `honshi train` would train them."""
    rows = [row.to_dict() for row in built(name, **changes).fit().history]
    return [{key: row[key] for key in COMPARED} for row in rows]


def readable_history(name: str, **changes: Any) -> list[dict[str, Any]]:
    """The same by the readable loop."""
    experiment = built(name, **changes)
    rows = [row.to_dict() for row in replace(experiment, criterion=Noting(experiment.criterion)).fit().history]
    return [{key: row[key] for key in COMPARED} for row in rows]


@dataclass(frozen=True)
class Tolerance:
    """How far machines may differ, seen with other threads, without compiled code, and with first weights that differ
    in the seventh digit; then doubled.

    Attributes:
        first: of the losses of the first steps.
        train, val: of the losses of an epoch. After so few steps batch norm scores validation images with averages that
            have hardly begun, which makes most of a small difference.
        train_accuracy, val_accuracy: absolute.
    """

    first: float
    train: float
    val: float
    train_accuracy: float
    val_accuracy: float


PLAIN = Tolerance(first=1e-3, train=1e-3, val=1e-3, train_accuracy=0.005, val_accuracy=0.01)
BATCH_NORM = Tolerance(first=1e-3, train=0.015, val=0.1, train_accuracy=0.01, val_accuracy=0.1)
# Steps of a fixed length, and few of them: where they lead at first depends on the last digits.
MUON = Tolerance(first=1e-3, train=0.02, val=0.5, train_accuracy=0.02, val_accuracy=0.3)
BFLOAT16 = Tolerance(first=0.02, train=0.015, val=0.05, train_accuracy=0.015, val_accuracy=0.2)


def tolerance(name: str) -> Tolerance:
    if name in PRECISION:
        return BFLOAT16
    if name == "colour":
        return MUON
    return PLAIN if name.startswith("lecture") else BATCH_NORM


def compare(rows: list[dict[str, Any]], recorded: list[dict[str, Any]], within: Tolerance) -> None:
    assert len(rows) == len(recorded)
    for row, before in zip(rows, recorded, strict=True):
        assert row["lr"] == pytest.approx(before["lr"], rel=1e-6)
        assert row["train_loss"] == pytest.approx(before["train_loss"], rel=within.train)
        assert row["val_loss"] == pytest.approx(before["val_loss"], rel=within.val)
        assert row["train_accuracy"] == pytest.approx(before["train_accuracy"], abs=within.train_accuracy)
        assert row["val_accuracy"] == pytest.approx(before["val_accuracy"], abs=within.val_accuracy)


def test_every_recipe_that_is_trained_from_scratch_is_recorded() -> None:
    assert sorted(RECORDED["recipes"]) == RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_the_first_losses_are_those_that_were_recorded(name: str) -> None:
    assert first_losses(name) == pytest.approx(RECORDED["recipes"][name]["first_losses"], rel=tolerance(name).first)


@pytest.mark.parametrize("name", RECIPES)
def test_the_first_epochs_are_those_that_were_recorded(name: str) -> None:
    compare(history(name), RECORDED["recipes"][name]["history"], tolerance(name))


def test_the_readable_loop_trains_the_lecture_as_the_compiled_one_does() -> None:
    # At the recipe's own rate the losses of so few images leap, and a unit that is 0 for the one and 1e-9 for the other
    # leads both apart within a dozen steps, on one machine at the twentieth, on another not at all.
    calm = {"optimizer.lr": 0.005}

    readable, compiled = readable_history("lecture", **calm), history("lecture", **calm)

    compare(readable, compiled, Tolerance(0, 1e-4, 1e-4, 0.001, 0.002))
