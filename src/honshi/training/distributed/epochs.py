"""Epochs of one model in several processes.

Shapes: b images in a share, B in the whole mini-batch; k classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from honshi.errors import ModelError
from honshi.evaluation.answers import Criterion, logits_of, loss_of
from honshi.models.modes import evaluating, train_mode
from honshi.training.distributed.shares import SharedBatches, is_mean_over_images, whole
from honshi.training.progress import Progress, Stop, diverged
from honshi.training.step import Step

if TYPE_CHECKING:  # a torch that was built for one process has no buckets, and Windows no such memory
    from torch.distributed import GradBucket  # type: ignore[attr-defined]

    from honshi.native.shared_sum import SharedSum

# Every so many steps the processes ask one another whether one of them was told to stop.
STEPS_BETWEEN_STOPS = 32


class SharedEpochs:
    """Trains one model together with the other processes, an epoch a call; inside `shared_layers`."""

    def __init__(
        self, model: nn.Module, criterion: Criterion, optimizer: Optimizer, batches: SharedBatches, step: Step
    ) -> None:
        self.model = model
        # Batch norm's statistics are the same everywhere, so they need not be sent at each step.
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(
            model, [name for name, _ in model.named_buffers()]
        )
        self.replica = DistributedDataParallel(
            model, gradient_as_bucket_view=True, find_unused_parameters=_leaves_weights_out(model, batches)
        )
        shared = batches.world.shared
        if shared is not None and batches.device.type == "cpu":
            # Not the function itself: DDP does not read annotations that are kept as text.
            self.replica.register_comm_hook(shared, lambda shared, bucket: _mean_gradients(shared, bucket))
        self.criterion = criterion
        self.by_share = is_mean_over_images(criterion)
        self.optimizer = optimizer
        self.batches = batches
        self.world = batches.world
        self.step = step
        self.last_first = list(model.parameters())[::-1]

    def train_epoch(
        self,
        *,
        epoch: int = 1,
        on_step: Callable[[int], None] | None = None,
        progress: Progress | None = None,
    ) -> tuple[float, float]:
        """As `honshi.training.epoch.train_epoch`, over the images of all processes."""
        train_mode(self.replica)
        progress = progress or Progress()
        stop = False
        for inputs, labels in progress.remaining(self.batches):
            number = progress.steps + 1
            with self.step.autocast:
                logits = logits_of(self._answer(inputs), len(labels))  # (b, k)
                loss, weight = self._loss(logits, labels, number)

            value = loss.item()
            if len(labels):
                progress.note(value, logits, labels)
            else:
                progress.steps += 1

            self.optimizer.zero_grad()
            # That a share's loss is not finite reaches all processes with the gradients, so that none takes this step.
            loss.backward(torch.full_like(loss, weight if math.isfinite(value) else math.nan))
            if not (math.isfinite(value) and self._gradients_are_finite()):
                raise diverged(epoch, number, float(self.optimizer.param_groups[0]["lr"]))
            self.step.update(self.optimizer, self.model.parameters())

            if on_step is not None:
                try:
                    on_step(number)
                except Stop:
                    stop = True
            if (number % STEPS_BETWEEN_STOPS == 0 or number == len(self.batches)) and self.world.any(stop):
                raise Stop
        if not progress.steps:
            raise ModelError("There are no images to train on.")
        progress.settle()
        loss_total, right_total = self.world.total(progress.loss_sum, progress.right)
        count = len(self.batches.labels)
        return loss_total / count, right_total / count

    def _answer(self, inputs: Tensor) -> object:
        try:
            return self.replica(inputs)
        except RuntimeError as error:
            if "Expected to have finished reduction" not in str(error):
                raise
            raise ModelError(
                "The model computes with other layers at one step than at another, which several processes cannot add "
                "up: train it in one process."
            ) from error

    def _loss(self, logits: Tensor, labels: Tensor, number: int) -> tuple[Tensor, float]:
        """The loss, and what its gradients are multiplied by: DDP takes their mean over the processes.

        1. A mean over images is taken over this share alone, and each image of the mini-batch weighs the same.
        2. Of any other loss, as one with class weights, all processes compute that of the whole mini-batch.
        """
        size, world = self.batches.whole_size(number), self.world
        if not self.by_share:
            loss = loss_of(self.criterion, whole(world, logits, size), whole(world, labels, size))  # of B images
            return loss, world.size
        # A share without images has no mean, and takes part all the same: with a gradient of 0.
        loss = loss_of(self.criterion, logits, labels) if len(labels) else logits.sum()
        return loss, len(labels) * world.size / size

    def _gradients_are_finite(self) -> bool:
        """Of the parameter that is nearest to the answer, which such a loss reaches whatever else it does."""
        gradient = next((p.grad for p in self.last_first if p.grad is not None), None)
        return gradient is None or bool(gradient.isfinite().all())


def _leaves_weights_out(model: nn.Module, batches: SharedBatches) -> bool:
    """Whether some weights have no part in the answer, for whose gradients DDP would wait for ever."""
    if not len(batches.images):
        return False
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with evaluating(model), torch.enable_grad():
        first = torch.zeros(1, dtype=torch.int64, device=batches.device)
        outputs = model(batches.normalization(batches.images.gather(first, batches.device)))  # (1, k)
        if not isinstance(outputs, Tensor) or not outputs.requires_grad:
            return False  # which the first step will say
        return any(found is None for found in torch.autograd.grad(outputs.sum(), trained, allow_unused=True))


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
