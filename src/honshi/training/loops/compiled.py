"""The lecture's own case, compiled: epochs of plain SGD for honshi's MLP on images in memory.

The losses and weights are those of `honshi.training.epoch` within rounding, in a fraction of its time. What this
file does is to recognise the case and to choose the number of threads; `honshi.native.mlp_sgd` computes.

What the case is, is asked of the tensors and modules themselves, before each epoch anew: a model that has changed
since is trained as it is then. Whatever would see or do more than the C code does takes the readable loop.

Shapes: n images; b of them in a batch.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from honshi.data.batches import Batches
from honshi.evaluation.answers import Criterion
from honshi.losses import CrossEntropy
from honshi.models import MLP
from honshi.models.modes import train_mode
from honshi.native.mlp_sgd import FEWEST_LAYERS, MOST_LAYERS, IndexedImages, Network, Steps, library
from honshi.native.tensors import disjoint, is_plain, is_watched
from honshi.optimizers import steps_as_made
from honshi.pictures.contract import Normalization
from honshi.runtime import is_as_made, threads
from honshi.runtime.threads import TimedThreads
from honshi.training.epoch import train_epoch
from honshi.training.progress import Progress, Stop, diverged
from honshi.training.step import Step

# Steps in one call: long enough to pay for starting threads, short enough for a progress bar and Ctrl-C.
BLOCK = 64
# More threads than this wait for one another longer than they compute.
MOST_THREADS = 4

# What these classes are known to compute; somebody may put another function in its place.
FORWARDS = {kind: kind.forward for kind in (MLP, nn.Linear, nn.CrossEntropyLoss, CrossEntropy)}


def compiled_epochs(
    model: nn.Module,
    criterion: Criterion,
    optimizer: Optimizer,
    batches: object,
    step: Step = Step(),  # noqa: B008
) -> CompiledEpochs | None:
    """What trains this model epoch by epoch, or None where the case is not exactly the known one."""
    if not (step == Step() and isinstance(batches, Batches) and _is_known(model, criterion, optimizer, batches)):
        return None
    code = library().code
    if code is None:
        return None
    try:
        return CompiledEpochs(code, model, criterion, optimizer, batches)
    except MemoryError:
        return None


def _is_known(model: nn.Module, criterion: Criterion, optimizer: Optimizer, batches: Batches) -> bool:
    layers = _linear_layers(model)
    return bool(
        layers
        and all(kind.forward is forward for kind, forward in FORWARDS.items())
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not is_watched()
        and _is_plain_cross_entropy(criterion)
        and _is_plain_sgd(optimizer, [tensor for layer in layers for tensor in (layer.weight, layer.bias)])
        and _are_plain(batches, inputs=layers[0].weight.shape[1], outputs=layers[-1].weight.shape[0])
    )


def _linear_layers(model: nn.Module) -> list[nn.Linear]:
    """The layers of a model that computes nothing but these with ReLU between them; none of any other model."""
    if type(model) is not MLP or model.batch_norm or model.dropout is not None:
        return []
    names = [f"layer{number}" for number in range(1, model.depth + 1)]
    layers = list(model.children())
    known = (
        FEWEST_LAYERS <= len(layers) <= MOST_LAYERS
        and [name for name, _ in model.named_children()] == names
        and all(map(_is_untouched, model.modules()))
        and all(type(layer) is nn.Linear and _has_plain_weights(layer) for layer in layers)
        # Nobody else's weights, and no weight in two places.
        and len(list(model.parameters())) == 2 * len(layers)
        and not list(model.buffers())
    )
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)] if known else []
    weights = [tensor for layer in linear for tensor in (layer.weight, layer.bias)]
    fit = all(one.weight.shape[0] == other.weight.shape[1] for one, other in pairwise(linear))
    return linear if fit and disjoint(weights) else []


def _widths(layers: list[nn.Linear]) -> tuple[int, ...]:
    return (layers[0].weight.shape[1], *(layer.weight.shape[0] for layer in layers))


def _is_untouched(module: nn.Module) -> bool:
    """Whether nobody has given it a forward of its own, or a hook."""
    return is_as_made(module) and not (
        module._state_dict_hooks
        or module._state_dict_pre_hooks
        or module._load_state_dict_pre_hooks
        or module._load_state_dict_post_hooks
    )


def _has_plain_weights(layer: nn.Linear) -> bool:
    weight, bias = layer.weight, layer.bias
    return (
        set(layer._parameters) == {"weight", "bias"}
        and all(type(tensor) is nn.Parameter and _is_plain_weight(tensor) for tensor in (weight, bias))
        and weight.dim() == 2
        and bias.shape == weight.shape[:1]
        and weight.numel() > 0
    )


def _is_plain_weight(tensor: nn.Parameter) -> bool:
    return (
        is_plain(tensor)
        and tensor.dtype == torch.float32
        and tensor.is_contiguous()
        and tensor.requires_grad
        and tensor.is_leaf
        # Another process may look at it, and change it, at each step.
        and not tensor.is_shared()
        # Nothing passes through autograd here.
        and not tensor._backward_hooks
        and not tensor._post_accumulate_grad_hooks
    )


def _is_plain_cross_entropy(criterion: Criterion) -> bool:
    if not isinstance(criterion, (nn.CrossEntropyLoss, CrossEntropy)):
        return False
    return (
        type(criterion) in (nn.CrossEntropyLoss, CrossEntropy)
        and is_as_made(criterion)
        and criterion.weight is None
        and criterion.label_smoothing == 0
        and getattr(criterion, "reduction", "mean") == "mean"
        # No label is below 0.
        and getattr(criterion, "ignore_index", -1) < 0
    )


def _is_plain_sgd(optimizer: Optimizer, weights: list[Tensor]) -> bool:
    if type(optimizer) is not SGD or len(optimizer.param_groups) != 1 or not steps_as_made(optimizer):
        return False
    (group,) = optimizer.param_groups
    watched = (
        _global_optimizer_pre_hooks,
        _global_optimizer_post_hooks,
        optimizer._optimizer_step_pre_hooks,
        optimizer._optimizer_step_post_hooks,
        optimizer._optimizer_state_dict_pre_hooks,
        optimizer._optimizer_state_dict_post_hooks,
        optimizer._optimizer_load_state_dict_pre_hooks,
        optimizer._optimizer_load_state_dict_post_hooks,
    )
    unused = ("momentum", "weight_decay", "nesterov", "maximize", "differentiable")
    return (
        sorted(map(id, group["params"])) == sorted(map(id, weights))
        and not any(map(group.get, unused))
        and not any(watched)
    )


def _are_plain(batches: Batches, inputs: int, outputs: int) -> bool:
    """Whether pixels become inputs in one way, and images and labels fit the network."""
    pixels, labels = batches.images.pixels_in_memory, batches.labels
    return (
        type(batches) is Batches
        and batches.augment is None
        and type(batches.normalization) is Normalization
        and len(batches.normalization.mean) == 1
        and pixels is not None
        and all(is_plain(tensor) and not tensor.is_inference() for tensor in (pixels, labels))
        and (pixels.dtype, labels.dtype) == (torch.uint8, torch.int64)
        and labels.shape == pixels.shape[:1]
        and len(labels) > 0
        and pixels[0].numel() == inputs
        and int(labels.min()) >= 0
        and int(labels.max()) < outputs
    )


class CompiledEpochs:
    """Trains one model on one set of mini-batches, an epoch a call.

    Attributes:
        batches: what it goes through, in the order that it would have drawn for the readable loop.
    """

    def __init__(
        self, code: ctypes.CDLL, model: nn.Module, criterion: Criterion, optimizer: Optimizer, batches: Batches
    ) -> None:
        """
        Raises:
            MemoryError: there is not enough memory for a copy of the network.
        """
        self.code = code
        self.model = model
        self.criterion = criterion
        self.optimizer = optimizer
        self.batches = batches
        self.network = self._network(_linear_layers(model))
        self.images = self._indexed()
        self.most_threads = min(threads.most(), MOST_THREADS)
        self.timed_threads = TimedThreads(self.most_threads)

    def train_epoch(
        self,
        *,
        epoch: int = 1,
        on_step: Callable[[int], None] | None = None,
        progress: Progress | None = None,
    ) -> tuple[float, float]:
        """As `honshi.training.epoch.train_epoch`, and by it where the case is not the known one any more.

        ``on_step`` is asked after a block of steps. A training that is stopped there goes back to where this call
        began, whose weights the model still has: the network holds them in another form, and giving them back rounds.
        """
        progress = progress or Progress()
        if not _is_known(self.model, self.criterion, self.optimizer, self.batches):
            case = self.model, self.criterion, self.optimizer, self.batches
            return train_epoch(*case, epoch=epoch, on_step=on_step, progress=progress)
        train_mode(self.model)
        layers = _linear_layers(self.model)
        if self.network.widths != _widths(layers):
            self.network = self._network(layers)
        if not self.images.are(self.batches.images.pixels_in_memory, self.batches.labels):
            self.images = self._indexed()
        lr = float(self.optimizer.param_groups[0]["lr"])
        size = self.batches.batch_size
        begun = replace(progress)
        coming = self.batches.order()[progress.images :]
        self.network.load(layers)
        try:
            for block in coming.split(BLOCK * size) if len(coming) else ():
                steps = self._train(block, size, lr)
                progress.steps += steps.done
                progress.images += len(block)
                progress.loss_sum += steps.loss_sum
                progress.right += steps.right
                if not steps.finite:
                    raise diverged(epoch, progress.steps + 1, lr)
                if on_step is not None:
                    on_step(progress.steps)
        except Stop:
            progress.go_back_to(begun)
            raise
        except BaseException:  # a Ctrl-C too leaves what has been learnt
            self.network.store(layers)
            raise
        self.network.store(layers)
        return progress.means()

    def _train(self, order: Tensor, batch_size: int, lr: float) -> Steps:
        """Take the steps of a block, with as many threads as are quickest now. The numbers are the same."""
        free = threads.now()
        count = min(free, self.most_threads) if free is not None else self.timed_threads.next()
        started, ours, own = time.perf_counter(), time.process_time(), time.thread_time()
        steps = self.network.train(self.images, order, batch_size, lr, count)
        seconds = time.perf_counter() - started
        # The other threads, which have ended by now, never sleep: what they did not compute they had no core for.
        computed = (time.process_time() - ours) - (time.thread_time() - own)
        threads.look(waited=max(0.0, (count - 1) * seconds - computed))
        self.timed_threads.note(count, seconds / len(order))
        return steps

    def _network(self, layers: list[nn.Linear]) -> Network:
        largest = min(self.batches.batch_size, len(self.batches.labels))
        normalization = self.batches.normalization
        return Network(self.code, _widths(layers), largest, normalization.mean[0], normalization.std[0])

    def _indexed(self) -> IndexedImages:
        pixels = self.batches.images.pixels_in_memory
        assert pixels is not None
        return IndexedImages(self.code, pixels, self.batches.labels, self.network.scale)
