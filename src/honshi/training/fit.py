"""The training: as many epochs as asked for, each followed by a look at the validation set.

There is no parameter through which test data could come in: the test set is for `honshi.test`.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from honshi.arguments import check_count
from honshi.data.augment import Augmentation
from honshi.data.batches import Batches, Data, OnDevice
from honshi.data.examples import Examples
from honshi.data.sealed import Sealed
from honshi.errors import NonFiniteLossError, RequestError, SealedError
from honshi.evaluation.answers import Criterion
from honshi.evaluation.history import Row
from honshi.features import Features, see
from honshi.features.stage import frozen_in
from honshi.files import make_folder
from honshi.messages import Message
from honshi.models.card import Card, attach, detach
from honshi.models.modes import Modes, being_trained
from honshi.native.layers import compiled_layers
from honshi.runtime import device_of, keep_freed_memory, seeded, threads
from honshi.training import arguments
from honshi.training.averaging import Averaging
from honshi.training.distributed import ALONE, World, batches_of, loss_and_accuracy, shared_layers
from honshi.training.draws import Draws
from honshi.training.early_stopping import EarlyStopping
from honshi.training.loops import choose_loop
from honshi.training.progress import Progress, Stop
from honshi.training.record import Record
from honshi.training.rehearsal import rehearse, single_image_said
from honshi.training.result import FitResult
from honshi.training.state import Checkpoint
from honshi.training.step import Step
from honshi.training.watching import watching


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
    patience: int | EarlyStopping | None = None,
    restore_best: bool = True,
    clip_grad_norm: float | None = None,
    augment: Augmentation | None = None,
    averaging: Averaging | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    remeasure_train: bool = False,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    world: World = ALONE,
    on_epoch: Callable[[Row], None] | None = None,
    on_step: Callable[[int], None] | None = None,
    show: bool | None = None,
) -> FitResult:
    """Train a model; it computes on the device where its parameters are.

    Args:
        model: any module from inputs (b, …) to logits (b, k), or (b, 1) of two classes. Where it is in training mode,
            layers that are in eval mode (a frozen batch norm) stay in it; a model in eval mode is trained whole.
        criterion: logits and labels to their mean loss, a scalar; any of torch's that takes logits.
        optimizer: any of torch's, over the model's parameters or some of them.
        train, val: `Examples` such as `Images`, a torch Dataset, or a DataLoader (which keeps its own batch size).
            Labels are class numbers (b,), or probabilities of the classes (b, k).
        epochs: how often the training data are gone through.
        batch_size: images in a mini-batch.
        schedule: a learning-rate scheduler of torch, stepped after every mini-batch; ReduceLROnPlateau after every
            epoch, with the validation loss.
        patience: stop after so many epochs without a lower validation loss; an `EarlyStopping` says also by how much.
        restore_best: end with the weights of the epoch of lowest validation loss.
        clip_grad_norm: the largest norm that the gradients may have.
        augment: random changes of the training images, which must be `Examples` then.
        averaging: score and keep the average of the weights, of which it takes note at each step, in
            place of the weights themselves.
        precision: "bfloat16" computes steps and scores with 16 bits (torch.autocast); the weights stay
            what they are. Slow on a CPU without instructions for it.
        remeasure_train: score the training data again after each epoch in eval mode, so that
            dropout does not fake a gap to validation.
        seed: of the order of the images, of augmentation and of dropout, and of what a Dataset draws from torch's,
            NumPy's and Python's global generators. The same seed on the same machine gives the same weights, on a
            CPU bit by bit where the same number of threads computes (`honshi.runtime.threads`). The caller's random
            state is left alone. A Dataset's own generators are not.
        checkpoint: a file that holds the state after each epoch; if it exists, training goes on from it.
        world: the processes that train together, each of which calls fit alike; train and val are `Examples`
            then. What `honshi.training.distributed.joined` gives.
        on_epoch: called with each row; the model has its own weights then, not their average.
        on_step: called with the number of mini-batches done in the epoch.
        show: curves that grow in a notebook, a bar on a terminal; where nothing is said, unless you are told already
            by ``on_epoch`` or ``on_step``.

    Returns:
        The history. The model has its best weights then (or the last) and is in eval mode.

        A training that is ended before its time gives what there is, ``interrupted``: where ``on_step`` or ``on_epoch``
        raises `honshi.training.Stop`, after which the checkpoint holds all that is needed to go on to the same weights;
        and where it is interrupted by hand in a notebook or a Python prompt. A script gets its KeyboardInterrupt, and
        the model its best weights all the same.

    Raises:
        SealedError: train or val is the sealed test set.
        WrongKindError: the data are of another kind, or of one that is not augmented.
        ArgumentError: an option means nothing, or parts do not belong together.
        ModelError: there are no images; or what the model gives, the labels and the criterion do not go together.
        NonFiniteLossError: the loss became infinite or not a number.
        RunError: the checkpoint does not belong to this training.
        RequestError: so many processes cannot train like that.
    """
    for name, data in (("train", train), ("val", val)):
        if isinstance(data, Sealed):
            raise SealedError("fit({name}=…) was given the test set", name=name)
    arguments.check_parts(model, criterion, optimizer, schedule)
    epochs, batch_size = check_count("epochs", epochs), check_count("batch_size", batch_size)
    seed = check_count("seed", seed, least=0)
    arguments.check_options(clip_grad_norm, precision)
    arguments.check_kinds(augment=augment, averaging=averaging, world=world)
    arguments.check_callable(on_epoch=on_epoch, on_step=on_step)
    stopping, path = arguments.stopping_of(patience), arguments.path_of(checkpoint)
    device = device_of(model)
    world.check(batch_size, device)

    if device.type == "cpu":
        keep_freed_memory()
    whole = model
    model, train, val, augment = _what_learns(model, train, val, augment, world)
    if isinstance(train, Examples):
        # What predict() has to know of this model; not what it knew of one that was trained before.
        attach(whole, Card(train.contract, train.classes))
        train = train.to(device)
    else:
        detach(whole)
    if isinstance(val, Examples):
        val = val.to(device)  # once, not at each epoch's validation
    shuffle = torch.Generator()
    train_batches = batches_of(train, batch_size, world, shuffle=shuffle, augment=augment, device=device)
    plain_batches = batches_of(train, batch_size, world, device=device)
    draws = Draws(device, train, val)
    with seeded(seed, device):
        rehearse(model, train, batch_size, plain_batches, draws)

    steps = _steps(train_batches, epochs)
    if steps is not None:
        arguments.check_schedule_lasts(schedule, steps)
    if averaging is not None:
        averaging.begin(model, steps)
    step = Step(schedule=schedule, clip_grad_norm=clip_grad_norm, averaging=averaging)
    if precision == "bfloat16":
        step = replace(step, autocast=torch.autocast(device.type, torch.bfloat16))
    train_epoch = choose_loop(model, criterion, optimizer, train_batches, step)

    record = Record(stopping=stopping, restore_best=restore_best)
    if path is not None and world.first:
        make_folder(path.parent)
    state = Checkpoint(path, model, optimizer, step, record, draws, world)
    modes = Modes(model)
    seconds = {"train": 0.0, "evaluate": 0.0}
    interrupted = False
    # Processes that train together wait for one another, each on cores of its own.
    threads_in_use = threads.giving_way() if world.size == 1 else nullcontext()
    with (
        seeded(seed, device),
        being_trained(model),
        shared_layers(model, world),
        compiled_layers(model),
        threads_in_use,
        watching(epochs, show if show is not None else on_epoch is None and on_step is None) as watch,
    ):
        progress = state.restore()
        try:
            while len(record.rows) < epochs and not stopping.exhausted and not interrupted:
                epoch = len(record.rows) + 1
                _draw_anew(shuffle, seed, epoch, world)
                progress.begin(float(optimizer.param_groups[0]["lr"]))
                modes.train()
                started = time.perf_counter() - progress.seconds
                try:
                    with single_image_said():
                        train_loss, train_accuracy = train_epoch(epoch=epoch, on_step=on_step, progress=progress)
                except Stop:
                    progress.seconds = time.perf_counter() - started
                    state.save(progress)
                    interrupted = True
                    break
                trained = time.perf_counter()
                with step.autocast, averaging.applied(model, plain_batches) if averaging is not None else nullcontext():
                    if remeasure_train:
                        train_loss, train_accuracy = loss_and_accuracy(model, train, criterion, world)
                    val_loss, val_accuracy = loss_and_accuracy(model, val, criterion, world)
                    if not math.isfinite(val_loss):
                        raise _diverged(val_loss, epoch, progress.lr)
                    evaluated = time.perf_counter()
                    seconds["train"] += trained - started
                    seconds["evaluate"] += evaluated - trained
                    elapsed = evaluated - started
                    row = Row(epoch, train_loss, train_accuracy, val_loss, val_accuracy, progress.lr, elapsed)
                    record.note(row, model)
                step.end_epoch(val_loss)
                state.save()
                watch(row)
                interrupted = world.any(_ends_with(row, on_epoch))
                progress = Progress(draws=draws)
        except KeyboardInterrupt:
            interrupted = bool(record.rows) and hasattr(sys, "ps1")  # a prompt, which a notebook has too
            if not interrupted:
                _end(model, record)
                raise
        _end(model, record)
    whole.eval()
    return FitResult(record.rows, restore_best, stopping.exhausted and len(record.rows) < epochs, interrupted, seconds)


def _what_learns(
    model: nn.Module, train: Data, val: Data, augment: Augmentation | None, world: World
) -> tuple[nn.Module, Data, Data, Augmentation | None]:
    """Of a model over a frozen backbone its head, and what the backbone sees; of any other one what was given.

    Raises:
        RequestError: several processes are to train a head.
    """
    frozen = frozen_in(model)
    if frozen is None or not isinstance(train, Examples) or not isinstance(val, Examples):
        return model, train, val, augment
    if world.size > 1:
        raise RequestError(
            "The head of a frozen backbone learns in seconds from features that are kept on one machine: start it "
            "without torchrun."
        )
    if isinstance(train, Features):
        return frozen.head, train, val, augment
    features = see(frozen, train, augment)
    frozen.head.measure(features.values.to(device_of(model)))
    return frozen.head, features, see(frozen, val), None


def _end(model: nn.Module, record: Record) -> None:
    """Leave the model as it is to be used."""
    record.put_back(model)
    model.eval()


def _steps(batches: Batches | OnDevice, epochs: int) -> int | None:
    """Mini-batches in so many epochs; None where nobody knows, as of a stream."""
    try:
        return epochs * len(batches)
    except TypeError:
        return None


def _draw_anew(shuffle: torch.Generator, seed: int, epoch: int, world: World) -> None:
    """From seed and epoch alone, so that a resumed training sees the images in the same order."""
    shuffle.manual_seed((seed * 1_000_003 + epoch) % 2**63)
    if world.size > 1:
        # Dropout draws for each process anew, and again the same after a restart.
        torch.manual_seed(((seed * 1_000_003 + epoch) * 1_000_003 + world.rank) % 2**63)


def _ends_with(row: Row, on_epoch: Callable[[Row], None] | None) -> bool:
    """Tell of an epoch; whether the training is to end with it."""
    try:
        if on_epoch is not None:
            on_epoch(row)
    except Stop:
        return True
    return False


def _diverged(val_loss: float, epoch: int, lr: float) -> NonFiniteLossError:
    problem = Message("validation loss became {loss} after epoch {epoch}", loss=val_loss, epoch=epoch)
    return NonFiniteLossError(problem, epoch, None, lr)
