"""Training on several processes, on one machine or many: torchrun's workers, PyTorch's process groups and its DDP.

Every process has the whole model and takes its share of each mini-batch; DistributedDataParallel adds up the
gradients while the backward pass still runs, so all take the same step. ``batch_size`` stays the size of the
whole mini-batch, so the trajectory is that of one process within rounding:

1. Shares are not padded. They may differ by an image, and that of the last mini-batch may be empty; each
   counts by the images in it.
2. Batch norm normalises by the whole mini-batch (`whole_batch_norm`).
3. Loss and right answers are summed over the images of all processes and divided once.

What augmentation and dropout draw differs: each process draws for itself, from the seed, the epoch and its rank.

Shapes: b images in a share, each (c, h, w); k classes.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from honshi.data.augment import Augmentation
from honshi.data.batches import Batch, Batches, Data, OnDevice, make_batches
from honshi.data.images import Images
from honshi.errors import HonshiError, ModelError, NonFiniteLossError, RequestError, RunError
from honshi.evaluation.evaluate import Criterion, infer
from honshi.evaluation.evaluate import loss_and_accuracy as loss_and_accuracy_alone
from honshi.models import Ensemble
from honshi.models.modes import full_precision
from honshi.training.averaging import Averaging

T = TypeVar("T")

# torchrun ends all processes as soon as one has ended: who has nothing to say gives way to who has.
GIVE_WAY_SECONDS = 1.0


@dataclass(frozen=True)
class World:
    """The processes that train together, seen from one of them.

    Attributes:
        rank: which one this is, from 0; the first alone writes files and speaks.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def check(self, batch_size: int, device: torch.device) -> None:
        """Whether so many processes can train like that.

        Raises:
            RequestError: there are fewer images in a mini-batch than processes, or fewer GPUs; or the device is
                of a kind between which gradients do not travel.
        """
        if self.size == 1:
            return
        if batch_size < self.size:
            raise RequestError(
                f"A mini-batch of {batch_size} cannot be divided among {self.size} processes: "
                f"choose --batch-size {self.size} or more; it is the size over all processes."
            )
        if device.type not in ("cpu", "cuda"):
            raise RequestError(
                f"Several processes train together on cpu or cuda, not on {device}: choose --device cpu."
            )
        if str(device) not in ("cpu", "cuda", f"cuda:{_local_rank()}"):
            raise RequestError(f"Each process takes a GPU of its own: choose --device cuda rather than {device}.")
        if device.type == "cuda" and _local_rank() >= torch.cuda.device_count():
            raise RequestError(
                f"There are more processes than the {torch.cuda.device_count()} GPUs of this machine: "
                "choose a smaller --nproc-per-node, or --device cpu."
            )

    def share(self, count: int) -> slice:
        """Which of ``count`` images are this process's. Shares differ by one image at most, the first are larger."""
        each, more = divmod(count, self.size)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    def total(self, *numbers: float) -> list[float]:
        """Each number summed over all processes, in float64."""
        return self._reduced(numbers, dist.ReduceOp.SUM)

    def least(self, number: float) -> float:
        """The smallest over all processes."""
        return self._reduced((number,), dist.ReduceOp.MIN)[0]

    def _reduced(self, numbers: tuple[float, ...], how: Any) -> list[float]:
        values = torch.tensor(numbers, dtype=torch.float64)
        if self.size > 1:
            dist.all_reduce(values, how)
        return [float(value) for value in values]

    def from_first(self, value: T) -> T:
        """What the first process has, on all of them."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """A block that all processes get through, or none: the first that failed says why, the others leave.

        Raises:
            HonshiError: of this process, where it is the first that failed.
            SystemExit: another failed; with its exit code.
        """
        if self.size == 1:
            yield
            return
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            failure = error
        codes: list[int] = [0] * self.size
        code = 0 if failure is None else failure.exit_code if isinstance(failure, HonshiError) else 1
        dist.all_gather_object(codes, code)
        failed = [rank for rank, code in enumerate(codes) if code]
        if failed and failed[0] == self.rank and failure is not None:
            raise failure
        if failed:
            leave(codes[failed[0]])


ALONE = World()


def leave(code: int) -> NoReturn:
    """End this process without a word: another one speaks for all."""
    time.sleep(GIVE_WAY_SECONDS)
    raise SystemExit(code)


def launched() -> bool:
    """Whether torchrun, or another launcher that sets the same variables, has started this process."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()


@contextmanager
def joined() -> Iterator[World]:
    """The processes of this launch, until the block ends; just this process where nothing launched it.

    Gradients on GPUs travel by NCCL, all else by gloo.

    Raises:
        RunError: another process has ended, so nothing more can be done together.
    """
    if not launched():
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(_local_rank() % torch.cuda.device_count())
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size())
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise RunError("Another process of this training has ended, and this one cannot go on alone.") from error
        raise
    # After a failure there is nobody left to say goodbye to.
    dist.destroy_process_group()


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))


class SharedBatches(Batches):
    """This process's share of every mini-batch of all.

    The order of an epoch is the same in all processes, drawn from the same generator, and is that of one process.
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        world: World,
        *,
        shuffle: torch.Generator | None = None,
        augment: Augmentation | None = None,
        device: torch.device | None = None,
    ) -> None:
        """
        Args:
            batch_size: images in a mini-batch over all processes, at least one for each.
            images, shuffle, augment, device: as for `Batches`.
        """
        own = world.share(batch_size)
        super().__init__(images, own.stop - own.start, shuffle=shuffle, augment=augment, device=device)
        self.world = world
        self.whole_batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.labels) // self.whole_batch_size)

    def whole_size(self, step: int) -> int:
        """Images in a mini-batch over all processes; the first is step 1."""
        return min(self.whole_batch_size, len(self.labels) - (step - 1) * self.whole_batch_size)

    def order(self) -> Tensor:
        """The places of this process's images in the order of one epoch."""
        batches = super().order().split(self.whole_batch_size)
        if self.shuffle is not None:
            # What else an epoch draws, augmentation and mixup, each process draws for itself.
            self.shuffle.manual_seed(int(torch.randint(2**62, (), generator=self.shuffle)) + self.world.rank)
        return torch.cat([places[self.world.share(len(places))] for places in batches])

    def __iter__(self) -> Iterator[Batch]:
        yield from super().__iter__()
        last = self.world.share(self.whole_size(len(self)))
        if last.start == last.stop:
            yield self.normalization(self.pixels[:0]), self.labels[:0]


def batches_of(
    data: object,
    batch_size: int,
    world: World,
    *,
    shuffle: torch.Generator | None = None,
    augment: Augmentation | None = None,
    device: torch.device | None = None,
) -> Batches | OnDevice:
    """As `make_batches`; with several processes each gets its share of every mini-batch.

    Raises:
        TypeError: as `make_batches`; or the data are to be shared and are no `Images`.
    """
    if world.size == 1:
        return make_batches(data, batch_size, shuffle=shuffle, augment=augment, device=device)
    return SharedBatches(_images(data), batch_size, world, shuffle=shuffle, augment=augment, device=device)


def _images(data: object) -> Images:
    """Raises: TypeError, where they are something else."""
    if not isinstance(data, Images):
        raise TypeError(
            f"Only honshi.Images are divided among processes, and these data are a {type(data).__name__}: "
            "make Images of them, or train in one process."
        )
    return data


@contextmanager
def whole_batch_norm(model: nn.Module, world: World) -> Iterator[None]:
    """Inside, batch norm in training mode normalises by the mini-batch of all processes, and not by its share.

    `torch.nn.SyncBatchNorm` does the same on CUDA alone. The modules stay what they are.
    """
    if world.size == 1:
        yield
        return
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    ensembles = [module for module in model.modules() if isinstance(module, Ensemble)]
    for norm in norms:
        norm.forward = partial(_normalise, norm)  # type: ignore[method-assign]
    for ensemble in ensembles:
        # All members take part in each step of each process, or they would wait for one another for ever.
        ensemble.smallest_share = 0
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward
        for ensemble in ensembles:
            del ensemble.smallest_share


def _normalise(norm: _BatchNorm, inputs: Tensor) -> Tensor:
    """What `torch.nn.BatchNorm2d` and its like do, (b, c, …) to the same shape."""
    if not norm.training:
        return type(norm).forward(norm, inputs)
    mean, variance, count = _moments(inputs)
    if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None and count:
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        # Without a momentum it is the mean over all mini-batches.
        momentum = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
        unbiased = variance * (count / max(count - 1, 1))
        norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), momentum)
    weight = norm.weight if norm.affine else torch.ones_like(mean)
    bias = norm.bias if norm.affine else torch.zeros_like(mean)
    outputs: Tensor = _Normalise.apply(  # type: ignore[no-untyped-call]
        inputs, weight, bias, mean, variance, count, norm.eps
    )
    return outputs


def _moments(inputs: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and variance (c) of the channels over all processes, float32, and of how many numbers each is."""
    channels = inputs.shape[1]
    sums = torch.zeros(2 * channels + 1, dtype=torch.float64, device=inputs.device)
    count = inputs.numel() // channels
    if count:
        with torch.no_grad():
            mean, variance = torch.batch_norm_update_stats(inputs, None, None, 0.0)
        # In float64, in which the difference of large sums is still exact enough.
        mean, variance = mean.double(), variance.double()
        sums = torch.cat([mean * count, (variance + mean**2) * count, sums.new_tensor([count])])
    dist.all_reduce(sums)
    total = int(sums[-1])
    mean, square = (sums[:-1] / max(total, 1)).view(2, channels)
    return mean.float(), (square - mean**2).clamp(min=0).float(), total


class _Normalise(torch.autograd.Function):
    """Batch norm by given moments, whose gradient knows that all inputs of all processes made them."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, count: int, eps: float
    ) -> Tensor:
        ctx.save_for_backward(inputs, weight, mean, variance)
        ctx.count = count
        ctx.eps = eps
        if not len(inputs):
            return inputs.clone()
        return batch_norm(inputs, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        inputs, weight, mean, variance = ctx.saved_tensors
        if len(inputs):
            # Of fixed moments: for the inputs as if each went its own way, and the sums over the images that
            # are at once the gradients of weight and bias.
            own, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
                gradient, inputs, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
            )
        else:
            own, to_weight, to_bias = torch.zeros_like(inputs), torch.zeros_like(weight), torch.zeros_like(weight)
        sums = torch.stack([to_weight, to_bias])
        dist.all_reduce(sums)
        # Through the moments: each input moves the mean and the variance of all.
        scale = (variance + ctx.eps).rsqrt()
        slope = weight * scale * scale * sums[0] / max(ctx.count, 1)
        offset = weight * scale * sums[1] / max(ctx.count, 1) - slope * mean
        shape = (1, -1) + (1,) * (inputs.dim() - 2)
        through = inputs * slope.view(shape).to(inputs.dtype) + offset.view(shape).to(inputs.dtype)
        return own - through, to_weight, to_bias, None, None, None, None


class SharedEpochs:
    """Trains one model together with the other processes, an epoch a call; inside `whole_batch_norm`."""

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
        device = self.batches.pixels.device
        loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        right = torch.zeros((), dtype=torch.int64, device=device)
        finite_steps = torch.zeros((), dtype=torch.int64, device=device)
        finite = torch.ones((), dtype=torch.bool, device=device)
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

            with torch.no_grad():
                solutions = labels if labels.dim() == 1 else labels.argmax(1)
                loss_sum += loss.detach() * len(labels)
                right += (logits.argmax(1) == solutions).sum()
                finite &= loss.isfinite()
                finite_steps += finite
            if on_step is not None:
                on_step(step)
        if not step:
            raise ModelError("There are no images to train on.")
        loss_total, right_total = self.world.total(float(loss_sum), float(right))
        if not math.isfinite(loss_total):
            bad = int(self.world.least(float(finite_steps))) + 1
            raise NonFiniteLossError(
                f"loss became infinite or not a number at epoch {epoch}, step {bad}", epoch, bad, lr
            )
        count = len(self.batches.labels)
        return loss_total / count, right_total / count


def loss_and_accuracy(model: nn.Module, data: Data, criterion: Criterion, world: World) -> tuple[float, float]:
    """As `honshi.evaluation.evaluate.loss_and_accuracy`; of several processes each scores its share of the images.

    Args:
        model, data: as there; `Images` where they are to be shared.
        criterion: logits and labels to a mean over images.
        world: the processes.
    """
    if world.size == 1:
        return loss_and_accuracy_alone(model, data, criterion)
    images = _images(data)
    if not len(images):
        raise ModelError("There are no images to evaluate.")
    own = world.share(len(images))
    loss, right = 0.0, 0
    if own.stop > own.start:
        logits, labels = infer(model, images.subset(range(own.start, own.stop)))
        loss = criterion(logits, labels).item() * len(labels)
        right = int((logits.argmax(1) == labels).sum())
    loss_total, right_total = world.total(loss, right)
    return loss_total / len(images), right_total / len(images)
