"""Epochs of plain SGD for honshi's MLP on images in memory, by the compiled code beside this file.

The losses and weights are those of `honshi.training.epoch` within rounding. What this file does is to
recognise the case, to lend torch's memory to the C code, and to choose the number of threads.

Shapes: n images; b of them in a batch; layer l goes from d(l-1) to d(l) numbers.
"""

from __future__ import annotations

import ctypes
import time
import weakref
from collections.abc import Callable
from functools import cache
from importlib import resources

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, Optimizer

from honshi.compiling import Signature, compiled, float32, int32, int64, pointer
from honshi.data.batches import Batches
from honshi.errors import NonFiniteLossError
from honshi.evaluation.evaluate import Criterion
from honshi.losses import CrossEntropy
from honshi.models import MLP
from honshi.runtime import has_hooks

# Steps in one call: long enough to pay for starting threads, short enough for a progress bar and Ctrl-C.
BLOCK = 64
# Every so many blocks the other number of threads is tried again.
PROBE = 16
# More threads than this wait for one another longer than they compute.
MOST_THREADS = 4
MOST_LAYERS = 16


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
    code = library()
    return None if code is None else CompiledEpochs(code, model, optimizer, batches)


def _plain_mlp(model: MLP) -> bool:
    layers = list(model.children())
    return (
        type(model) is MLP
        and 2 <= len(layers) <= MOST_LAYERS
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
    pixels, labels = batches.pixels, batches.labels
    inputs, classes = model.architecture["inputs"], model.architecture["classes"]
    return (
        type(batches) is Batches
        and batches.augment is None
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

    def __init__(self, code: ctypes.CDLL, model: MLP, optimizer: Optimizer, batches: Batches) -> None:
        self.code = code
        self.model = model
        self.optimizer = optimizer
        self.batches = batches
        self.layers = [layer for layer in model.children() if isinstance(layer, nn.Linear)]
        self.pixels, self.labels = batches.pixels.contiguous(), batches.labels.contiguous()
        count, inputs = len(self.labels), self.layers[0].in_features
        mean, std = batches.normalization.mean[0], batches.normalization.std[0]
        scale = 1 / (255 * std)
        # Which pixels are above 0 (n, words of 64), and the scaled sum of each image (n,).
        self.masks = torch.empty(count, -(-inputs // 64), dtype=torch.int64)
        self.brightness = torch.empty(count)
        code.mlp_index(self.pixels.data_ptr(), count, inputs, scale, self.masks.data_ptr(), self.brightness.data_ptr())
        widths = np.array([inputs, *(layer.out_features for layer in self.layers)], dtype=np.int32)
        largest = min(batches.batch_size, count)
        self.net = code.mlp_new(len(self.layers), widths.ctypes.data, largest, scale, mean / std)
        if not self.net:
            raise MemoryError("There is not enough memory for a copy of the network.")
        weakref.finalize(self, code.mlp_free, self.net)
        self.threads = _Threads(min(torch.get_num_threads(), MOST_THREADS))

    def train_epoch(self, *, epoch: int = 1, on_step: Callable[[int], None] | None = None) -> tuple[float, float]:
        """As `honshi.training.epoch.train_epoch`."""
        self.model.train()
        lr = float(self.optimizer.param_groups[0]["lr"])
        order = self.batches.order()
        count, size = len(order), self.batches.batch_size
        for number, layer in enumerate(self.layers, start=1):
            self.code.mlp_load(self.net, number, layer.weight.data_ptr(), layer.bias.data_ptr())
        loss_sum, right, done = 0.0, 0, 0
        for part in order.split(BLOCK * size):
            steps, part_loss, part_right = self._train(part, size, lr)
            failed = steps < 0
            done += -1 - steps if failed else steps
            loss_sum += part_loss
            right += part_right
            if failed:
                break
            if on_step is not None:
                on_step(done)
        for number, layer in enumerate(self.layers, start=1):
            self.code.mlp_store(self.net, number, layer.weight.data_ptr(), layer.bias.data_ptr())
        if failed:
            where = f"loss became infinite or not a number at epoch {epoch}, step {done + 1}"
            raise NonFiniteLossError(where, epoch, done + 1, lr)
        return loss_sum / count, right / count

    def _train(self, order: torch.Tensor, size: int, lr: float) -> tuple[int, float, int]:
        loss_sum, right = ctypes.c_double(), ctypes.c_int64()
        started = time.perf_counter()
        threads = self.threads.next()
        steps = self.code.mlp_train(
            self.net,
            self.pixels.data_ptr(),
            self.masks.data_ptr(),
            self.brightness.data_ptr(),
            self.labels.data_ptr(),
            order.data_ptr(),
            len(order),
            size,
            lr,
            threads,
            ctypes.byref(loss_sum),
            ctypes.byref(right),
        )
        self.threads.note(threads, (time.perf_counter() - started) / len(order))
        return steps, loss_sum.value, right.value


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


@cache
def library() -> ctypes.CDLL | None:
    """The compiled library; None where it cannot be compiled."""
    signatures: dict[str, Signature] = {
        "mlp_new": (pointer, [int32, pointer, int32, float32, float32]),
        "mlp_free": (None, [pointer]),
        "mlp_load": (None, [pointer, int32, pointer, pointer]),
        "mlp_store": (None, [pointer, int32, pointer, pointer]),
        "mlp_index": (None, [pointer, int64, int32, float32, pointer, pointer]),
        "mlp_train": (int64, [*[pointer] * 6, int64, int32, float32, int32, pointer, pointer]),
    }
    return compiled(resources.files(__package__) / "mlp_sgd.c", signatures)
