"""Epochs on a CUDA device: the whole step is captured once as a graph and then replayed.

A step of a small network is over before Python has asked for its next operation, so a GPU mostly waits. A
CUDA graph holds all operations of a step; replaying it is one request. Images lie on the device as bytes and
are gathered, augmented and normalised there, a block of mini-batches at a time. Loss and right answers are
added up there too and read once, at the end of the epoch: nothing waits for the device in between.

The numbers are those of `honshi.training.epoch` within rounding. Only honshi's own networks come here: a
graph repeats what its first pass did, and another module may decide anew at each pass.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from honshi.data.batches import Batches
from honshi.evaluation.answers import Criterion, logits_of, loss_to_learn_from
from honshi.models.architecture import is_ours
from honshi.models.modes import train_mode
from honshi.training.loops.tally import Tally
from honshi.training.progress import Progress, diverged
from honshi.training.step import Step

# Passes before the capture, in which libraries choose their kernels and take their memory.
WARM_UP = 3


def captured_epochs(
    model: nn.Module,
    criterion: Criterion,
    optimizer: Optimizer,
    batches: object,
    step: Step = Step(),  # noqa: B008
) -> CapturedEpochs | None:
    """What trains this model epoch by epoch on its CUDA device, or None where that may not be right."""
    if not (
        isinstance(batches, Batches)
        and batches.device.type == "cuda"
        and len(batches.labels) >= batches.batch_size
        and is_ours(model)
        and isinstance(criterion, nn.Module)
        and _capturable(optimizer)
    ):
        return None
    return CapturedEpochs(model, criterion, optimizer, batches, step)


def _capturable(optimizer: Optimizer) -> bool:
    """Whether a step of the optimizer is all on the device; `honshi.optimizers.build` makes it so there."""
    return all(isinstance(group["lr"], Tensor) and group["lr"].is_cuda for group in optimizer.param_groups)


class CapturedEpochs:
    """Trains one model on one set of mini-batches, an epoch a call. The first call captures the step."""

    def __init__(
        self, model: nn.Module, criterion: nn.Module, optimizer: Optimizer, batches: Batches, step: Step
    ) -> None:
        self.model = model
        self.criterion = criterion
        self.optimizer = optimizer
        self.batches = batches
        self.step = step
        self.tally = Tally(batches.device)
        # The graph, and where it finds inputs and labels of its mini-batch.
        self.captured: tuple[torch.cuda.CUDAGraph, Tensor, Tensor] | None = None

    def train_epoch(
        self,
        *,
        epoch: int = 1,
        on_step: Callable[[int], None] | None = None,
        progress: Progress | None = None,
    ) -> tuple[float, float]:
        """As `honshi.training.epoch.train_epoch`.

        A loss that is not finite is noticed at the end of the epoch, and the model gets back the weights that it had
        before the first of these steps.
        """
        train_mode(self.model)
        progress = progress or Progress()
        lr = float(self.optimizer.param_groups[0]["lr"])
        before = _Snapshot(self.model, self.optimizer)
        self.tally.begin(progress)
        try:
            for inputs, labels in progress.remaining(self.batches):
                if self.captured is None:
                    self.captured = self._capture(inputs.clone(), labels.clone())
                    self.tally.begin(progress)  # without the passes that led to the capture
                self._train(inputs, labels, *self.captured)
                progress.steps += 1
                progress.images += len(labels)
                if on_step is not None:
                    on_step(progress.steps)
        finally:
            self.tally.end(progress)  # the first wait for the device in this epoch
        if not bool(self.tally.finite):
            before.restore()
            raise diverged(epoch, int(self.tally.finite_steps) + 1, lr)
        return progress.means()

    def _train(
        self, inputs: Tensor, labels: Tensor, graph: torch.cuda.CUDAGraph, held_inputs: Tensor, held_labels: Tensor
    ) -> None:
        """A step, by the graph where the mini-batch has its shape."""
        if inputs.shape == held_inputs.shape:
            held_inputs.copy_(inputs)
            held_labels.copy_(labels)
            graph.replay()
        else:  # the last mini-batch, of another size
            self._step(inputs, labels)
        self.step.follow()

    def _step(self, inputs: Tensor, labels: Tensor) -> None:
        """One step of the readable loop, without a look at its result."""
        with self.step.autocast:
            logits = logits_of(self.model(inputs), len(labels))  # (b, k)
            loss = loss_to_learn_from(self.criterion, logits, labels)  # a scalar
        # Kept in place: a graph writes gradients to where they were when it was captured.
        self.optimizer.zero_grad(set_to_none=False)
        loss.backward()
        self.step.clip(self.model.parameters())
        self.optimizer.step()
        self.tally.note(loss, logits, labels)

    def _capture(self, inputs: Tensor, labels: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        """The step on these very tensors as a graph; model, optimizer and random state are as before."""
        device = self.batches.device
        random = torch.cuda.get_rng_state(device)
        before = _Snapshot(self.model, self.optimizer)
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._step(inputs, labels)
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step(inputs, labels)
        before.restore()
        torch.cuda.set_rng_state(random, device)
        return graph, inputs, labels


class _Snapshot:
    """What steps change in a model and its optimizer, to be put back into the same memory."""

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.model = [(tensor, tensor.detach().clone()) for tensor in model.state_dict().values()]
        self.state = {
            parameter: {name: value.clone() for name, value in state.items() if isinstance(value, Tensor)}
            for parameter, state in optimizer.state.items()
        }

    @torch.no_grad()
    def restore(self) -> None:
        for tensor, value in self.model:
            tensor.copy_(value)
        for parameter, state in self.optimizer.state.items():
            for name, tensor in state.items():
                if isinstance(tensor, Tensor):
                    # What the first step makes begins at 0: momentum, moments, the count of steps.
                    known = self.state.get(parameter, {}).get(name)
                    tensor.zero_() if known is None else tensor.copy_(known)
