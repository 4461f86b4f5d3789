"""The lecture's own case, compiled: epochs of plain SGD for honshi's MLP on images in memory.

The losses and weights are those of `honshi.training.epoch` within rounding, in a fraction of its time. What this
file does is to recognise the case and to choose the number of threads; `honshi.native.mlp_sgd` computes.

Shapes: n images; b of them in a batch.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from honshi.data.batches import Batches
from honshi.errors import NonFiniteLossError
from honshi.evaluation.evaluate import Criterion
from honshi.losses import CrossEntropy
from honshi.models import MLP
from honshi.native.mlp_sgd import FEWEST_LAYERS, MOST_LAYERS, IndexedImages, Network, Steps, library
from honshi.runtime import has_hooks

# Steps in one call: long enough to pay for starting threads, short enough for a progress bar and Ctrl-C.
BLOCK = 64
# Every so many blocks the other number of threads is tried again.
PROBE = 16
# More threads than this wait for one another longer than they compute.
MOST_THREADS = 4


def compiled_epochs(
    model: nn.Module, criterion: Criterion, optimizer: Optimizer, batches: object
) -> CompiledEpochs | None:
    """What trains this model epoch by epoch, or None where the case is not exactly the known one."""
    if not (
        isinstance(model, MLP)
        and isinstance(batches, Batches)
        and _plain_mlp(model)
        and _plain_cross_entropy(criterion)
        and _plain_sgd(optimizer, model)
        and _plain_batches(batches, model)
    ):
        return None
    code, pixels = library(), batches.images.pixels_in_memory
    return None if code is None or pixels is None else CompiledEpochs(code, model, optimizer, batches, pixels)


def _plain_mlp(model: MLP) -> bool:
    layers = list(model.children())
    return (
        type(model) is MLP
        and FEWEST_LAYERS <= len(layers) <= MOST_LAYERS
        # Exactly linear layers: neither dropout nor batch norm.
        and all(type(layer) is nn.Linear for layer in layers)
        and all(
            p.requires_grad and p.dtype == torch.float32 and p.device.type == "cpu" and p.is_contiguous()
            for p in model.parameters()
        )
        # A hook wants to see what passes; nothing passes through the modules or through autograd here.
        and not any(map(has_hooks, model.modules()))
        and not any(p._backward_hooks for p in model.parameters())
    )


def _plain_cross_entropy(criterion: Criterion) -> bool:
    if type(criterion) is nn.CrossEntropyLoss:
        plain = criterion.reduction == "mean" and criterion.ignore_index < 0
    else:
        plain = type(criterion) is CrossEntropy
    return plain and criterion.weight is None and criterion.label_smoothing == 0  # type: ignore[attr-defined]


def _plain_sgd(optimizer: Optimizer, model: nn.Module) -> bool:
    if type(optimizer) is not SGD or len(optimizer.param_groups) != 1:
        return False
    if optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks:
        return False
    (group,) = optimizer.param_groups
    unused = ("momentum", "weight_decay", "nesterov", "maximize", "differentiable")
    return {id(p) for p in group["params"]} == {id(p) for p in model.parameters()} and not any(map(group.get, unused))


def _plain_batches(batches: Batches, model: MLP) -> bool:
    """Images whose pixels become inputs in one way, and that fit the network."""
    pixels, labels = batches.images.pixels_in_memory, batches.labels
    inputs, classes = model.architecture["inputs"], model.architecture["classes"]
    return (
        type(batches) is Batches
        and batches.augment is None
        and pixels is not None
        and pixels.device.type == "cpu"
        and len(batches.normalization.mean) == 1
        and len(labels) > 0
        and pixels[0].numel() == inputs
        and int(labels.max()) < int(classes)  # type: ignore[call-overload]
    )


class CompiledEpochs:
    """Trains one model on one set of mini-batches, an epoch a call.

    Attributes:
        batches: what it goes through, in the order that it would have drawn for the readable loop.
    """

    def __init__(
        self, code: ctypes.CDLL, model: MLP, optimizer: Optimizer, batches: Batches, pixels: torch.Tensor
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.batches = batches
        self.layers = [layer for layer in model.children() if isinstance(layer, nn.Linear)]
        widths = [self.layers[0].in_features, *(layer.out_features for layer in self.layers)]
        largest = min(batches.batch_size, len(batches.labels))
        mean, std = batches.normalization.mean[0], batches.normalization.std[0]
        self.network = Network(code, widths, largest, mean, std)
        self.images = IndexedImages(code, pixels, batches.labels, self.network.scale)
        self.threads = _Threads(min(torch.get_num_threads(), MOST_THREADS))

    def train_epoch(self, *, epoch: int = 1, on_step: Callable[[int], None] | None = None) -> tuple[float, float]:
        """As `honshi.training.epoch.train_epoch`."""
        self.model.train()
        lr = float(self.optimizer.param_groups[0]["lr"])
        order = self.batches.order()
        count, size = len(order), self.batches.batch_size
        self.network.load(self.layers)
        loss_sum, right, done = 0.0, 0, 0
        for block in order.split(BLOCK * size):
            steps = self._train(block, size, lr)
            done += steps.done
            loss_sum += steps.loss_sum
            right += steps.right
            if not steps.finite:
                break
            if on_step is not None:
                on_step(done)
        self.network.store(self.layers)
        if not steps.finite:
            where = f"loss became infinite or not a number at epoch {epoch}, step {done + 1}"
            raise NonFiniteLossError(where, epoch, done + 1, lr)
        return loss_sum / count, right / count

    def _train(self, order: Tensor, batch_size: int, lr: float) -> Steps:
        threads = self.threads.next()
        started = time.perf_counter()
        steps = self.network.train(self.images, order, batch_size, lr, threads)
        self.threads.note(threads, (time.perf_counter() - started) / len(order))
        return steps


class _Threads:
    """How many threads to use: all that may be, or one.

    The threads of a step wait for one another a few times in 50 µs. Where another program takes one of
    their cores away, all wait for it, and one thread alone is several times as fast. Which it is changes
    by the second, so both are timed again now and then. The numbers that come out are the same.
    """

    def __init__(self, most: int) -> None:
        self.seconds = {most: 0.0, 1: 0.0}
        self.blocks = 0

    def next(self) -> int:
        fastest = min(self.seconds, key=self.seconds.__getitem__)
        slowest = max(self.seconds, key=self.seconds.__getitem__)
        self.blocks += 1
        return slowest if self.blocks % PROBE == 0 else fastest

    def note(self, threads: int, seconds: float) -> None:
        self.seconds[threads] = seconds
