"""The same epoch, faster, for one common case: an MLP, cross-entropy and plain SGD on a CPU.

With layers this small most of a step is not arithmetic: it is calling operations, recording them for
autograd, and writing gradients only to read them again. Here the backward pass is written out, its
buffers are kept from step to step, and each product of a gradient is added to its weights as it is
computed. The losses and weights are those of `honshi.training.epoch` within rounding; `fit` comes here
when `knows` says so, and takes the readable loop for everything else.

Shapes: b images in a batch; layer i goes from d(i-1) to d(i) numbers; d(L) = k classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import nll_loss
from torch.optim import SGD, Optimizer

from honshi.data.batches import Batch
from honshi.errors import ModelError, NonFiniteLossError
from honshi.evaluation.evaluate import Criterion
from honshi.losses import CrossEntropy
from honshi.models import MLP


def knows(model: nn.Module, criterion: Criterion, optimizer: Optimizer) -> bool:
    """Whether this is the one case, with nothing about it that the written-out step would leave out."""
    return _plain_mlp(model) and _plain_cross_entropy(criterion) and _plain_sgd(optimizer, model)


def _plain_mlp(model: nn.Module) -> bool:
    return (
        type(model) is MLP
        and model.dropout is None
        and not model.batch_norm
        and all(type(layer) is nn.Linear for layer in model.children())
        and all(p.requires_grad and p.dtype == torch.float32 and p.device.type == "cpu" for p in model.parameters())
        # A hook wants to see what passes; nothing passes through the modules or through autograd here.
        and not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
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


def train_epoch(
    model: nn.Module,
    optimizer: Optimizer,
    batches: Iterable[Batch],
    *,
    epoch: int = 1,
    on_step: Callable[[int], None] | None = None,
) -> tuple[float, float]:
    """As `honshi.training.epoch.train_epoch`, for what `knows` recognises."""
    model.train()
    step_of_size: dict[int, _Step] = {}
    lr = float(optimizer.param_groups[0]["lr"])
    loss_sum, count = 0.0, 0
    answers: list[Tensor] = []
    solutions: list[Tensor] = []
    with torch.no_grad():
        for number, (inputs, labels) in enumerate(batches, start=1):
            size = len(labels)
            if size not in step_of_size:
                step_of_size[size] = _Step(model, size)
            step = step_of_size[size]
            value = step.forward(inputs.flatten(1), labels)
            if not math.isfinite(value):
                where = f"loss became {value} at epoch {epoch}, step {number}"
                raise NonFiniteLossError(where, epoch, number, lr)
            step.backward_and_update(labels, lr)
            loss_sum += value * size
            count += size
            answers.append(step.log_probabilities.argmax(1))
            solutions.append(labels)
            if on_step is not None:
                on_step(number)
    if not count:
        raise ModelError("There are no images to train on.")
    correct = (torch.cat(answers) == torch.cat(solutions)).sum()
    return loss_sum / count, int(correct) / count


class _Step:
    """One step for batches of one size, with the buffers that it needs."""

    def __init__(self, model: nn.Module, size: int) -> None:
        layers = [layer for layer in model.children() if isinstance(layer, nn.Linear)]
        self.weights = [layer.weight for layer in layers]
        self.biases = [layer.bias for layer in layers]
        # Views, made once: (d(i-1), d(i)).
        self.transposed = [weight.t() for weight in self.weights]
        # What each layer puts out (b, d(i)); the last are the logits.
        self.outputs = [torch.empty(size, layer.out_features) for layer in layers]
        # The loss by each of them, times b, in the same shapes.
        self.gradients = [torch.empty_like(output) for output in self.outputs]
        self.transposed_gradients = [gradient.t() for gradient in self.gradients]
        self.log_probabilities = torch.empty_like(self.outputs[-1])
        self.ones = torch.ones(size)
        self.minus_ones = torch.full((size, 1), -1.0)

    def forward(self, inputs: Tensor, labels: Tensor) -> float:
        """Inputs (b, d(0)) to the mean loss; layers and loss keep what the way back needs."""
        self.activations = [inputs]
        last = len(self.outputs) - 1
        for i, output in enumerate(self.outputs):
            torch.addmm(self.biases[i], self.activations[i], self.transposed[i], out=output)
            if i < last:
                self.activations.append(output.relu_())
        torch.log_softmax(self.outputs[-1], 1, out=self.log_probabilities)
        return nll_loss(self.log_probabilities, labels).item()

    def backward_and_update(self, labels: Tensor, lr: float) -> None:
        """Step every weight against its gradient.

        1. The cross-entropy by the logits is softmax minus one-hot, over b.
        2. The division by b is left to the factor -lr / b of the update.
        3. A layer passes its gradient on before it is updated, through ReLU where its input was above 0.
        """
        torch.exp(self.log_probabilities, out=self.gradients[-1])
        self.gradients[-1].scatter_add_(1, labels.unsqueeze(1), self.minus_ones)
        factor = -lr / len(labels)
        for i in range(len(self.weights) - 1, -1, -1):
            if i > 0:
                passed = torch.mm(self.gradients[i], self.weights[i], out=self.gradients[i - 1])
                torch.ops.aten.threshold_backward.grad_input(passed, self.activations[i], 0, grad_input=passed)
            self.weights[i].addmm_(self.transposed_gradients[i], self.activations[i], alpha=factor)
            self.biases[i].addmv_(self.transposed_gradients[i], self.ones, alpha=factor)
