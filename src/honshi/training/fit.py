"""The training: as many epochs as asked for, each followed by a look at the validation set.

There is no parameter through which test data could come in: the test set is for `honshi.test`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from honshi.data.augment import Augmentation
from honshi.data.batches import Batch, Data
from honshi.data.examples import Examples
from honshi.data.sealed import Sealed
from honshi.errors import NonFiniteLossError, SealedError
from honshi.evaluation.evaluate import Criterion
from honshi.evaluation.history import Row, best_row
from honshi.models.card import Card, attach, detach
from honshi.models.modes import being_trained
from honshi.native.layers import compiled_layers
from honshi.runtime import keep_freed_memory, seeded
from honshi.training import state
from honshi.training.averaging import Averaging
from honshi.training.distributed import (
    ALONE,
    SharedBatches,
    SharedEpochs,
    World,
    batches_of,
    loss_and_accuracy,
    shared_layers,
)
from honshi.training.early_stopping import EarlyStopping
from honshi.training.epoch import train_epoch
from honshi.training.loops.captured import captured_epochs
from honshi.training.loops.compiled import compiled_epochs


@dataclass(frozen=True)
class FitResult:
    """What a training leaves behind, beside the trained model.

    Attributes:
        history: a row an epoch.
        best: the row of lowest validation loss.
        restored: whether the model has that epoch's weights rather than the last one's.
        stopped_early: whether patience ran out before the epochs did.
        seconds: spent on training steps ("train") and on validation ("evaluate").
    """

    history: list[Row]
    best: Row
    restored: bool
    stopped_early: bool
    seconds: dict[str, float]

    def plot(self, path: str | Path) -> None:
        """Draw the learning curves to a picture."""
        from honshi.reports.curves import draw  # matplotlib takes a while to load and not every fit draws

        draw(self.history, Path(path))


def fit(
    model: nn.Module,
    criterion: Criterion,
    optimizer: Optimizer,
    train: Data,
    val: Data,
    epochs: int,
    *,
    batch_size: int = 64,
    schedule: LRScheduler | None = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    restore_best: bool = True,
    clip_grad_norm: float | None = None,
    augment: Augmentation | None = None,
    averaging: Averaging | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    remeasure_train: bool = False,
    seed: int = 0,
    checkpoint: Path | None = None,
    world: World = ALONE,
    on_epoch: Callable[[Row], None] | None = None,
    on_step: Callable[[int], None] | None = None,
) -> FitResult:
    """Train a model; it computes on the device where its parameters are.

    Args:
        model: any module from inputs (b, …) to logits (b, k).
        criterion: logits (b, k) and labels (b,) to their mean loss; any of torch's.
        optimizer: any of torch's, over the model's parameters.
        train, val: `Examples` such as `Images`, a torch Dataset, or a DataLoader (which keeps its own batch size).
        epochs: how often the training data are gone through.
        batch_size: images in a mini-batch.
        schedule: a learning-rate scheduler of torch, stepped after every mini-batch.
        patience: stop after so many epochs without a lower validation loss.
        min_delta: by how much a loss must be lower to count.
        restore_best: end with the weights of the epoch of lowest validation loss.
        clip_grad_norm: the largest norm that the gradients may have.
        augment: random changes of the training images, which must be `Examples` then.
        averaging: score and keep the average of the weights, of which it takes note at each step, in
            place of the weights themselves.
        precision: "bfloat16" computes steps and scores with 16 bits (torch.autocast); the weights stay
            what they are. Slow on a CPU without instructions for it.
        remeasure_train: score the training data again after each epoch in eval mode, so that
            dropout does not fake a gap to validation.
        seed: of the order of the images, of augmentation and of dropout. The same seed on the same
            machine gives the same weights, bit by bit on a CPU. The caller's random state is left alone.
        checkpoint: a file that holds the state after each epoch; if it exists, training goes on from it.
        world: the processes that train together, each of which calls fit alike; train and val are `Examples`
            then. What `honshi.training.distributed.joined` gives.
        on_epoch: called with each row; the model has its own weights then, not their average.
        on_step: called with the number of mini-batches done in the epoch.

    Raises:
        SealedError: train or val is the sealed test set.
        TypeError: the data are of another kind, or of one that is not augmented.
        NonFiniteLossError: the loss became infinite or not a number.
        ModelError: there are no images.
        RunError: the checkpoint does not belong to this training.
        RequestError: so many processes cannot train like that.
    """
    for name, data in (("train", train), ("val", val)):
        if isinstance(data, Sealed):
            raise SealedError(f"fit({name}=…) was given the test set")
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size are at least 1, not {epochs} and {batch_size}")
    if patience is not None and patience < 1:
        raise ValueError(f"patience is at least 1, or None, not {patience}")
    device = next(model.parameters()).device
    world.check(batch_size, device)
    if device.type == "cpu":
        keep_freed_memory()
    if isinstance(train, Examples):
        # What predict() has to know of this model; not what it knew of one that was trained before.
        attach(model, Card(train.contract, train.classes))
        train = train.to(device)
    else:
        detach(model)
    if isinstance(val, Examples):
        val = val.to(device)  # once, not at each epoch's validation

    shuffle = torch.Generator()
    train_batches = batches_of(train, batch_size, world, shuffle=shuffle, augment=augment, device=device)
    plain_batches = batches_of(train, batch_size, world, device=device)
    stopping = EarlyStopping(patience=patience, min_delta=min_delta)
    rows: list[Row] = []
    kept_weights = _copy_weights(model)
    reduced = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
    if averaging is not None:
        averaging.begin(model, epochs * len(train_batches))
    seconds = {"train": 0.0, "evaluate": 0.0}

    train_once = _loop(
        model,
        criterion,
        optimizer,
        train_batches,
        schedule=schedule,
        clip_grad_norm=clip_grad_norm,
        averaging=averaging,
        reduced=reduced if precision == "bfloat16" else None,
    )

    with seeded(seed, device), being_trained(model), shared_layers(model, world), compiled_layers(model):
        saved = world.from_first(state.read(checkpoint))
        if saved is not None:
            rows, kept_weights = state.restore(saved, checkpoint, model, optimizer, schedule, averaging, stopping)
        for epoch in range(len(rows) + 1, epochs + 1):
            if stopping.exhausted:
                break
            # From seed and epoch alone, so that a resumed training sees the images in the same order.
            shuffle.manual_seed((seed * 1_000_003 + epoch) % 2**63)
            if world.size > 1:
                # Dropout draws for each process anew, and again the same after a restart.
                torch.manual_seed(((seed * 1_000_003 + epoch) * 1_000_003 + world.rank) % 2**63)
            lr = float(optimizer.param_groups[0]["lr"])
            started = time.perf_counter()
            train_loss, train_accuracy = train_once(epoch=epoch, on_step=on_step)
            trained = time.perf_counter()
            with reduced, averaging.applied(model, plain_batches) if averaging is not None else nullcontext():
                if remeasure_train:
                    train_loss, train_accuracy = loss_and_accuracy(model, train, criterion, world)
                val_loss, val_accuracy = loss_and_accuracy(model, val, criterion, world)
                if not math.isfinite(val_loss):
                    raise NonFiniteLossError(f"validation loss became {val_loss} after epoch {epoch}", epoch, None, lr)
                evaluated = time.perf_counter()
                row = Row(epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr, evaluated - started)
                rows.append(row)
                if not restore_best or best_row(rows) is row:
                    kept_weights = _copy_weights(model)
            seconds["train"] += trained - started
            seconds["evaluate"] += evaluated - trained
            stopping.note(row)
            if checkpoint is not None and world.first:
                state.save(checkpoint, model, optimizer, schedule, averaging, stopping, rows, kept_weights)
            if on_epoch is not None:
                on_epoch(row)

    model.load_state_dict(kept_weights)
    return FitResult(rows, best_row(rows), restore_best, stopping.exhausted and len(rows) < epochs, seconds)


def _loop(
    model: nn.Module,
    criterion: Criterion,
    optimizer: Optimizer,
    batches: Iterable[Batch],
    *,
    schedule: LRScheduler | None,
    clip_grad_norm: float | None,
    averaging: Averaging | None,
    reduced: AbstractContextManager[Any] | None,
) -> Callable[..., tuple[float, float]]:
    """What trains one epoch: the readable loop, or one that gives the same numbers in less time.

    1. Several processes take each step together.
    2. The lecture's own case on a CPU is compiled.
    3. On a CUDA device the step of honshi's own networks is captured.
    """
    if isinstance(batches, SharedBatches):
        shared = SharedEpochs(
            model,
            criterion,
            optimizer,
            batches,
            schedule=schedule,
            clip_grad_norm=clip_grad_norm,
            averaging=averaging,
            reduced=reduced,
        )
        return shared.train_epoch
    if schedule is None and clip_grad_norm is None and averaging is None and reduced is None:
        compiled = compiled_epochs(model, criterion, optimizer, batches)
        if compiled is not None:
            return compiled.train_epoch
    captured = captured_epochs(
        model,
        criterion,
        optimizer,
        batches,
        schedule=schedule,
        clip_grad_norm=clip_grad_norm,
        averaging=averaging,
        reduced=reduced,
    )
    if captured is not None:
        return captured.train_epoch
    return partial(
        train_epoch,
        model,
        criterion,
        optimizer,
        batches,
        schedule=schedule,
        clip_grad_norm=clip_grad_norm,
        averaging=averaging,
        reduced=reduced,
    )


def _copy_weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
