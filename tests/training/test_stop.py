from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import DataLoader, Dataset, TensorDataset

import honshi
from honshi.errors import ModelError, RunError
from honshi.losses import CrossEntropy
from honshi.models import MLP
from honshi.optimizers import build_schedule
from honshi.recipe import CosineOptions
from honshi.training import FitResult, Stop
from honshi.training.loops.compiled import BLOCK

EPOCHS = 3
generator = torch.Generator().manual_seed(1)
INPUTS, LABELS = torch.randn(200, 8, generator=generator), torch.randint(3, (200,), generator=generator)


class Noisy(Dataset[tuple[Tensor, int]]):
    """Every item draws from the generators of torch, NumPy and Python."""

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return INPUTS[index] + torch.randn(8) + np.random.randn() + random.gauss(), int(LABELS[index])


def own_generator() -> DataLoader[Any]:
    draws = torch.Generator().manual_seed(7)
    return DataLoader(TensorDataset(INPUTS[:100], LABELS[:100]), 20, shuffle=True, generator=draws)


SOURCES: dict[str, Callable[[], Any]] = {
    "dataset": lambda: TensorDataset(INPUTS[:100], LABELS[:100]),
    "noisy dataset": Noisy,
    "loader with a generator": own_generator,
    "shuffled loader": lambda: DataLoader(Noisy(), 20, shuffle=True),
}


def training(
    train: Any,
    checkpoint: Path | str | None = None,
    *,
    on_step: Callable[[int], None] | None = None,
    on_epoch: Callable[[honshi.Row], None] | None = None,
    **options: Any,
) -> tuple[nn.Module, FitResult]:
    """A training with all that has a state: dropout, batch norm, momentum, a schedule, an average."""
    torch.manual_seed(0)
    model = MLP(8, (16,), 3, dropout=0.5, batch_norm=True)
    optimizer = SGD(model.parameters(), lr=0.3, momentum=0.9)
    schedule = build_schedule(CosineOptions(warmup_epochs=1.0), optimizer, 5, EPOCHS)
    val = TensorDataset(INPUTS[100:], LABELS[100:])
    result = honshi.fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        train,
        val,
        EPOCHS,
        batch_size=20,
        schedule=schedule,
        averaging=honshi.Averaging(ema=0.9),
        checkpoint=checkpoint,
        on_step=on_step,
        on_epoch=on_epoch,
        **{"restore_best": False, **options},
    )
    return model, result


def stop_at(count: int) -> Callable[[int], None]:
    """Raise Stop after so many steps of a training."""
    steps = 0

    def on_step(_step: int) -> None:
        nonlocal steps
        steps += 1
        if steps == count:
            raise Stop

    return on_step


def without_seconds(result: FitResult) -> list[honshi.Row]:
    return [replace(row, seconds=0.0) for row in result.history]


def assert_identical(one: nn.Module, other: nn.Module) -> None:
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "state.pt"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("steps", [1, 5, 8], ids=["first step", "end of an epoch", "within the second"])
def test_a_training_that_was_stopped_goes_on_to_the_same_bytes(checkpoint: Path, source: str, steps: int) -> None:
    expected_model, expected = training(SOURCES[source]())
    _, stopped = training(SOURCES[source](), checkpoint, on_step=stop_at(steps))

    model, result = training(SOURCES[source](), checkpoint)

    assert stopped.interrupted
    assert len(stopped.history) == (steps - 1) // 5
    assert not result.interrupted
    assert_identical(model, expected_model)
    assert without_seconds(result) == without_seconds(expected)


def test_it_may_be_stopped_in_each_of_its_steps(checkpoint: Path) -> None:
    expected_model, expected = training(Noisy())
    for _ in range(5 * EPOCHS):
        assert training(Noisy(), checkpoint, on_step=stop_at(1))[1].interrupted

    model, result = training(Noisy(), checkpoint)

    assert_identical(model, expected_model)
    assert without_seconds(result) == without_seconds(expected)


def test_augmented_images_go_on_where_they_were(mnist: honshi.Splits, checkpoint: Path) -> None:
    some = mnist.train.subset(range(200))
    augment = honshi.Augmentation(shift=0.1, rotate=10.0, mixup=0.5)

    def train(**options: Any) -> tuple[nn.Module, FitResult]:
        torch.manual_seed(0)
        model = MLP(784, (16,), 10, dropout=0.5)
        optimizer = SGD(model.parameters(), lr=0.1)
        return model, honshi.fit(model, CrossEntropy(), optimizer, some, some, 2, augment=augment, **options)

    expected_model, expected = train()
    train(checkpoint=checkpoint, on_step=stop_at(6))

    model, result = train(checkpoint=checkpoint)

    assert_identical(model, expected_model)
    assert without_seconds(result) == without_seconds(expected)


def test_the_compiled_loop_stops_after_a_block_of_steps(mnist: honshi.Splits, checkpoint: Path) -> None:
    train, val = mnist.train.subset(range(1000)), mnist.val.subset(range(100))
    told: list[int] = []

    def once(step: int) -> None:
        told.append(step)
        raise Stop

    def fit(**options: Any) -> tuple[nn.Module, FitResult]:
        torch.manual_seed(0)
        model = MLP(784, (16,), 10)
        optimizer = SGD(model.parameters(), lr=0.1)
        return model, honshi.fit(model, CrossEntropy(), optimizer, train, val, 2, batch_size=10, **options)

    expected_model, expected = fit()
    fit(checkpoint=checkpoint, on_step=once)

    model, result = fit(checkpoint=checkpoint)

    assert told in ([BLOCK], [1])  # the second where there is no C compiler
    assert_identical(model, expected_model)
    assert without_seconds(result) == without_seconds(expected)


def test_stopped_by_an_epoch_it_is_saved_as_after_any_other(checkpoint: Path) -> None:
    expected_model, expected = training(Noisy())

    def enough(_row: honshi.Row) -> None:
        raise Stop

    _, stopped = training(Noisy(), checkpoint, on_epoch=enough)
    model, result = training(Noisy(), checkpoint)

    assert stopped.interrupted
    assert len(stopped.history) == 1
    assert_identical(model, expected_model)
    assert without_seconds(result) == without_seconds(expected)


def test_a_state_within_an_epoch_carries_no_code_either(checkpoint: Path) -> None:
    training(Noisy(), checkpoint, on_step=stop_at(3))

    state = torch.load(checkpoint, weights_only=True)

    assert [progress["steps"] for progress in state["progress"]] == [3]


def test_the_state_of_several_processes_within_an_epoch_is_not_gone_on_from_by_one(checkpoint: Path) -> None:
    training(Noisy(), checkpoint, on_step=stop_at(3))
    state = torch.load(checkpoint, weights_only=True)
    torch.save({**state, "progress": state["progress"] * 2}, checkpoint)

    with pytest.raises(RunError, match="2 processes"):
        training(Noisy(), checkpoint)


def test_without_a_finished_epoch_there_is_no_best_one_and_the_weights_are_those_of_the_last_step() -> None:
    fresh, _ = training(Noisy(), on_step=stop_at(1))
    model, result = training(Noisy(), on_step=stop_at(3))

    assert result.history == []
    with pytest.raises(ModelError, match="No epoch"):
        _ = result.best
    assert not torch.equal(model.get_parameter("layer1.weight"), fresh.get_parameter("layer1.weight"))


# Interrupted by hand


def interrupted() -> tuple[nn.Module, list[dict[str, Tensor]], Callable[[], FitResult]]:
    """A training of a model whose weights after each epoch are noted, interrupted in its third epoch."""
    torch.manual_seed(0)
    model, after = nn.Linear(8, 3), list[dict[str, Tensor]]()
    data = TensorDataset(INPUTS[:100], LABELS[:100])
    steps = iter(range(1, 100))

    def on_step(_step: int) -> None:
        if next(steps) == 12:
            raise KeyboardInterrupt

    def on_epoch(_row: honshi.Row) -> None:
        after.append({name: tensor.clone() for name, tensor in model.state_dict().items()})

    optimizer = SGD(model.parameters(), lr=0.1)

    def fit() -> FitResult:
        return honshi.fit(
            model,
            nn.CrossEntropyLoss(),
            optimizer,
            data,
            data,
            EPOCHS,
            batch_size=20,
            on_step=on_step,
            on_epoch=on_epoch,
        )

    return model, after, fit


def test_in_a_notebook_an_interruption_gives_history_and_best_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    model, after, fit = interrupted()

    result = fit()

    assert result.interrupted
    assert [row.epoch for row in result.history] == [1, 2]
    torch.testing.assert_close(dict(model.state_dict()), after[result.best.epoch - 1], rtol=0, atol=0)
    assert not model.training


def test_a_script_gets_its_interruption_and_the_best_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys, "ps1", raising=False)
    model, after, fit = interrupted()

    with pytest.raises(KeyboardInterrupt):
        fit()

    torch.testing.assert_close(dict(model.state_dict()), after[1], rtol=0, atol=0)
