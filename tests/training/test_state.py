from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR, OneCycleLR, SequentialLR, StepLR
from torch.utils.data import TensorDataset

import honshi
from honshi.errors import RunError
from honshi.models import MLP, TTA
from honshi.optimizers import build_schedule
from honshi.recipe import CosineOptions

EPOCHS = 6
STEPS_PER_EPOCH = 4


def noise(n: int, seed: int) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    return TensorDataset(torch.randn(n, 8, generator=generator), torch.randint(3, (n,), generator=generator))


def cosine(optimizer: SGD) -> LRScheduler | None:
    return build_schedule(CosineOptions(warmup_epochs=1.0), optimizer, STEPS_PER_EPOCH, EPOCHS)


def training(
    checkpoint: Path | None = None,
    *,
    hidden: tuple[int, ...] = (32,),
    schedule_of: Callable[[SGD], LRScheduler | None] = cosine,
    patience: int | None = None,
    restore_best: bool = False,
    on_epoch: Callable[[honshi.Row], None] | None = None,
    on_step: Callable[[int], None] | None = None,
) -> tuple[nn.Module, list[honshi.Row]]:
    """A training with all that has a state: dropout, batch norm, momentum, a schedule."""
    torch.manual_seed(0)
    model = MLP(8, hidden, 3, dropout=0.5, batch_norm=True)
    optimizer = SGD(model.parameters(), lr=0.3, momentum=0.9)
    result = honshi.fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        noise(100, seed=1),
        noise(50, seed=4),
        EPOCHS,
        batch_size=25,
        schedule=schedule_of(optimizer),
        patience=patience,
        restore_best=restore_best,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
        on_step=on_step,
    )
    return model, [replace(row, seconds=0.0) for row in result.history]


def train_until_killed(checkpoint: str) -> None:
    """What the subprocess below does: it is killed by force in the middle of its third epoch."""
    steps = 0

    def kill(_step: int) -> None:
        nonlocal steps
        steps += 1
        if steps == 2 * STEPS_PER_EPOCH + 2:
            signal.raise_signal(signal.SIGKILL)

    training(Path(checkpoint), on_step=kill)


class InterruptedTrainingError(Exception):
    pass


def interrupt_after(epoch: int) -> Callable[[honshi.Row], None]:
    def on_epoch(row: honshi.Row) -> None:
        if row.epoch == epoch:
            raise InterruptedTrainingError

    return on_epoch


def assert_identical(one: nn.Module, other: nn.Module) -> None:
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "state.pt"


@pytest.mark.parametrize("epoch", [1, 3, EPOCHS])
def test_a_resumed_training_is_bit_by_bit_the_uninterrupted_one(checkpoint: Path, epoch: int) -> None:
    expected_model, expected_rows = training()
    with pytest.raises(InterruptedTrainingError):
        training(checkpoint, on_epoch=interrupt_after(epoch))

    model, rows = training(checkpoint)

    assert_identical(model, expected_model)
    assert rows == expected_rows


def test_it_may_be_interrupted_and_resumed_more_than_once(checkpoint: Path) -> None:
    expected_model, expected_rows = training()
    for epoch in (1, 2, 5):
        with pytest.raises(InterruptedTrainingError):
            training(checkpoint, on_epoch=interrupt_after(epoch))

    model, rows = training(checkpoint)

    assert_identical(model, expected_model)
    assert rows == expected_rows


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_training_that_was_killed_by_force_resumes_bit_by_bit(checkpoint: Path) -> None:
    code = "import runpy, sys; runpy.run_path(sys.argv[1])['train_until_killed'](sys.argv[2])"
    killed = subprocess.run([sys.executable, "-c", code, __file__, str(checkpoint)], check=False)
    assert killed.returncode == -signal.SIGKILL
    expected_model, expected_rows = training()
    resumed_epochs: list[int] = []

    model, rows = training(checkpoint, on_epoch=lambda row: resumed_epochs.append(row.epoch))

    assert resumed_epochs == [3, 4, 5, 6]
    assert_identical(model, expected_model)
    assert rows == expected_rows


def test_the_best_weights_survive_the_interruption(checkpoint: Path) -> None:
    expected_model, expected_rows = training(restore_best=True)
    best = min(expected_rows, key=lambda row: row.val_loss).epoch
    assert best < EPOCHS - 1, "or there would be nothing to restore"
    with pytest.raises(InterruptedTrainingError):
        training(checkpoint, restore_best=True, on_epoch=interrupt_after(best + 1))

    model, _ = training(checkpoint, restore_best=True)

    assert_identical(model, expected_model)


@pytest.mark.parametrize("restore_best", [True, False], ids=["best", "last"])
@pytest.mark.parametrize("options", [{"ema": 0.95}, {"swa": 0.5}], ids=["ema", "swa"])
def test_augmentation_and_averages_are_resumed_bit_by_bit(
    mnist: honshi.Splits, checkpoint: Path, options: dict[str, float], restore_best: bool
) -> None:
    some = mnist.train.subset(range(200))
    augment = honshi.Augmentation(shift=0.1, rotate=10.0, elastic=2.0, erase=0.3, mixup=0.5)

    def train(
        checkpoint: Path | None = None, on_epoch: Callable[[honshi.Row], None] | None = None
    ) -> tuple[nn.Module, list[honshi.Row]]:
        torch.manual_seed(0)
        model = TTA(MLP(784, (16,), 10, dropout=0.5, batch_norm=True), shift=1)
        result = honshi.fit(
            model,
            nn.CrossEntropyLoss(),
            SGD(model.parameters(), lr=0.3, momentum=0.9),
            some,
            some,
            4,
            augment=augment,
            averaging=honshi.Averaging(**options),
            restore_best=restore_best,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
        )
        return model, [replace(row, seconds=0.0) for row in result.history]

    expected_model, expected_rows = train()
    for epoch in (1, 3, 4):
        with pytest.raises(InterruptedTrainingError):
            train(checkpoint, on_epoch=interrupt_after(epoch))

    model, rows = train(checkpoint)

    assert_identical(model, expected_model)
    assert rows == expected_rows


def test_patience_does_not_begin_anew(checkpoint: Path) -> None:
    _, expected_rows = training(patience=2)
    assert len(expected_rows) < EPOCHS, "or patience would not have run out"
    with pytest.raises(InterruptedTrainingError):
        training(checkpoint, patience=2, on_epoch=interrupt_after(len(expected_rows) - 1))

    _, rows = training(checkpoint, patience=2)

    assert rows == expected_rows


@pytest.mark.parametrize(
    "schedule_of",
    [
        lambda optimizer: None,
        lambda optimizer: OneCycleLR(optimizer, 0.3, total_steps=EPOCHS * STEPS_PER_EPOCH),
        lambda optimizer: MultiStepLR(optimizer, [5, 9]),
        lambda optimizer: SequentialLR(optimizer, [StepLR(optimizer, 2), StepLR(optimizer, 3)], [7]),
    ],
    ids=["none", "one-cycle", "multi-step", "sequential"],
)
def test_torchs_own_schedules_are_resumed_too(
    checkpoint: Path, schedule_of: Callable[[SGD], LRScheduler | None]
) -> None:
    expected_model, expected_rows = training(schedule_of=schedule_of)
    with pytest.raises(InterruptedTrainingError):
        training(checkpoint, schedule_of=schedule_of, on_epoch=interrupt_after(3))

    model, rows = training(checkpoint, schedule_of=schedule_of)

    assert_identical(model, expected_model)
    assert rows == expected_rows


def test_the_state_carries_no_code(checkpoint: Path) -> None:
    training(checkpoint)

    state = torch.load(checkpoint, weights_only=True)

    assert [row["epoch"] for row in state["rows"]] == [1, 2, 3, 4, 5, 6]


def test_code_in_a_state_is_not_run(checkpoint: Path, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (tmp_path / "it ran",)

    torch.save({"model": Payload()}, checkpoint)

    with pytest.raises(RunError, match=r"state\.pt: this is not the state of a training"):
        training(checkpoint)
    assert not (tmp_path / "it ran").exists()


def cut_off(content: bytes) -> bytes:
    return content[: len(content) // 2]


def bits_flipped(content: bytes) -> bytes:
    return content[:100] + bytes(byte ^ 0xFF for byte in content[100:400]) + content[400:]


@pytest.mark.parametrize(
    "damage",
    [cut_off, bits_flipped, lambda _: b"", lambda _: b"my notes\n", lambda content: bytes(len(content))],
    ids=["cut off", "bits flipped", "empty", "text", "zeros"],
)
def test_a_damaged_state_is_named(checkpoint: Path, damage: Callable[[bytes], bytes]) -> None:
    training(checkpoint)
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))

    with pytest.raises(RunError, match=r"state\.pt: .*Remove it to begin again"):
        training(checkpoint)


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], "text", None, {}, {"model": None}], ids=str)
def test_a_file_with_other_content_is_refused(checkpoint: Path, content: object) -> None:
    torch.save(content, checkpoint)

    with pytest.raises(RunError, match=r"state\.pt: .*Remove it to begin again"):
        training(checkpoint)


def test_the_state_of_another_model_is_refused(checkpoint: Path) -> None:
    training(checkpoint, hidden=(7,))

    with pytest.raises(RunError, match=r"state\.pt: .*Remove it to begin again"):
        training(checkpoint)


@pytest.mark.parametrize("resumed_with", [True, False])
def test_a_state_with_a_schedule_and_a_training_without_one_do_not_go_together(
    checkpoint: Path, resumed_with: bool
) -> None:
    def none(_optimizer: SGD) -> None:
        return None

    training(checkpoint, schedule_of=none if resumed_with else cosine)

    with pytest.raises(RunError, match="schedule"):
        training(checkpoint, schedule_of=cosine if resumed_with else none)


def test_a_folder_in_place_of_the_state_is_named(checkpoint: Path) -> None:
    checkpoint.mkdir()

    with pytest.raises(RunError, match=r"state\.pt"):
        training(checkpoint)


def test_the_state_of_another_optimizer_is_refused(checkpoint: Path) -> None:
    model, data = nn.Linear(4, 2), TensorDataset(torch.randn(8, 4), torch.arange(8) % 2)
    honshi.fit(model, nn.CrossEntropyLoss(), SGD(model.parameters(), lr=0.1), data, data, 1, checkpoint=checkpoint)

    with pytest.raises(RunError, match="another optimizer than this Adam"):
        honshi.fit(model, nn.CrossEntropyLoss(), Adam(model.parameters()), data, data, 2, checkpoint=checkpoint)


def test_a_pipe_in_place_of_the_state_is_not_waited_for(checkpoint: Path) -> None:
    os.mkfifo(checkpoint)
    model, data = nn.Linear(4, 2), TensorDataset(torch.randn(8, 4), torch.arange(8) % 2)

    with pytest.raises(RunError, match="cannot be read"):
        honshi.fit(model, nn.CrossEntropyLoss(), SGD(model.parameters(), lr=0.1), data, data, 1, checkpoint=checkpoint)
