"""Epochs of one model in several processes.

Shapes: b images in a share; k classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from honshi.errors import ModelError, NonFiniteLossError
from honshi.evaluation.evaluate import Criterion
from honshi.models.modes import full_precision
from honshi.training.averaging import Averaging
from honshi.training.distributed.shares import SharedBatches
from honshi.training.tally import Tally

if TYPE_CHECKING:  # a torch that was built for one process has no buckets, and Windows no such memory
    from torch.distributed import GradBucket  # type: ignore[attr-defined]

    from honshi.native.shared_sum import SharedSum


class SharedEpochs:
    """Trains one model together with the other processes, an epoch a call; inside `shared_layers`."""

    def __init__(
        self,
        model: nn.Module,
        criterion: Criterion,
        optimizer: Optimizer,
        batches: SharedBatches,
        *,
        schedule: LRScheduler | None = None,
        clip_grad_norm: float | None = None,
        averaging: Averaging | None = None,
        reduced: AbstractContextManager[Any] | None = None,
    ) -> None:
        self.model = model
        # Batch norm's statistics are the same everywhere, so nobody need send them at each step.
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(
            model, [name for name, _ in model.named_buffers()]
        )
        self.replica = DistributedDataParallel(model, gradient_as_bucket_view=True)
        shared = batches.world.shared
        if shared is not None and batches.device.type == "cpu":
            # Not the function itself: DDP does not read annotations that are kept as text.
            self.replica.register_comm_hook(shared, lambda shared, bucket: _mean_gradients(shared, bucket))
        self.criterion = criterion
        self.optimizer = optimizer
        self.batches = batches
        self.world = batches.world
        self.schedule = schedule
        self.clip_grad_norm = clip_grad_norm
        self.averaging = averaging
        self.reduced = reduced

    def train_epoch(self, *, epoch: int = 1, on_step: Callable[[int], None] | None = None) -> tuple[float, float]:
        """As `honshi.training.epoch.train_epoch`, over the images of all processes.

        A loss that is not finite is noticed at the end of the epoch: to ask all processes at each step would
        make each wait for the slowest once more.
        """
        self.replica.train()
        lr = float(self.optimizer.param_groups[0]["lr"])
        tally = Tally(self.batches.device)
        step = 0
        for step, (inputs, labels) in enumerate(self.batches, start=1):
            with self.reduced or nullcontext():
                logits = full_precision(self.replica(inputs))
                # A share without images has no mean, and takes part all the same: with a gradient of 0.
                loss = self.criterion(logits, labels) if len(labels) else logits.sum()
            self.optimizer.zero_grad()
            # DDP takes the mean over processes, and each image of the mini-batch is to weigh the same.
            (loss * (len(labels) * self.world.size / self.batches.whole_size(step))).backward()
            if self.clip_grad_norm is not None:
                clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
            self.optimizer.step()
            if self.schedule is not None:
                self.schedule.step()
            if self.averaging is not None:
                self.averaging.note_step()
            tally.note(loss, logits, labels)
            if on_step is not None:
                on_step(step)
        if not step:
            raise ModelError("There are no images to train on.")
        loss_total, right_total = self.world.total(float(tally.loss_sum), float(tally.right))
        if not math.isfinite(loss_total):
            bad = int(self.world.least(float(tally.finite_steps))) + 1
            raise NonFiniteLossError(
                f"loss became infinite or not a number at epoch {epoch}, step {bad}", epoch, bad, lr
            )
        count = len(self.batches.labels)
        return loss_total / count, right_total / count


def _mean_gradients(shared: SharedSum, bucket: GradBucket) -> Future[Tensor]:
    """The mean over processes, as DDP takes it, through shared memory where that goes."""
    gradients = bucket.buffer()
    if not shared.supports(gradients):
        from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

        return allreduce_hook(None, bucket)  # type: ignore[arg-type]  # None: of all processes
    shared.add_up(gradients)
    done: Future[Tensor] = Future()
    done.set_result(gradients.div_(shared.size))
    return done
