"""Batch size: what a step costs, and how much its gradient owes to the draw of the batch.

The noise is that of McCandlish et al., "An empirical model of large-batch training", 2018 (arXiv:1812.06162):
with G the gradient of the whole loss and S the covariance of a single image's, a batch of B images has
tr(S)/B of noise beside |G|^2 of signal. They are equal at B = tr(S)/|G|^2, the simple noise scale: below it
a larger batch saves steps in proportion, far above it only costs more images.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from honshi.checks.finding import Finding, passed, skipped
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject, peak_lr, set_lr
from honshi.messages import Message
from honshi.models.modes import train_mode

SIZES = (4, 16, 64, 256, 1024)
# In the first steps the gradients of all images agree, and there is hardly any noise.
WARM_UP = 100
# Batches of each size, of which there are fewer where they are large or slow.
MOST, FEWEST, IMAGES, SECONDS = 32, 4, 4096, 1.0
# How often the step of each size is timed again.
ROUNDS = 10


@dataclass(frozen=True)
class BatchSize:
    """What a mini-batch of one size costs and gives.

    Attributes:
        batch_size: images.
        microseconds: of a training step, for each image.
        megabytes: what the forward pass keeps for the backward pass, in MB.
        noise: of the gradient, as a multiple of its signal.
    """

    batch_size: int
    microseconds: float
    megabytes: float
    noise: float


def measure_batch_sizes(subject: Subject, sample: Sample, batch_size: int) -> tuple[BatchSize, ...]:
    """Measure each size that the sample has two batches of, on copies, after 100 steps of training.

    Nothing is measured of a training that has diverged by then.
    """
    work = subject.copy()
    set_lr(work.optimizer, peak_lr(subject.optimizer))
    train_mode(work.model)
    for inputs, labels in sample.batches(min(batch_size, len(sample)), WARM_UP):
        work.step(inputs, labels)
    rows: list[tuple[int, float, float, float]] = []
    signal = 0.0
    for size, seconds in _step_seconds(work.copy(), sample).items():
        count = max(FEWEST, min(MOST, IMAGES // size, int(SECONDS / seconds)))
        noise, squared_mean = _gradient_noise(work, sample, size, count)
        if not math.isfinite(noise):
            return ()
        # The mean of several noisy gradients is too long by what is left of their noise.
        signal = max(squared_mean - noise / count, 1e-12)
        rows.append((size, 1e6 * seconds / size, _kept_bytes(work, sample, size) / 1e6, noise))
    # The signal of the largest batches is the surest.
    return tuple(BatchSize(size, cost, kept, noise / signal) for size, cost, kept, noise in rows)


def noise_scale(rows: tuple[BatchSize, ...]) -> float:
    """The batch size whose gradient has as much noise as signal: the median over all sizes measured.

    With batch norm small batches are noisier than the draw of their images alone makes them.
    """
    return statistics.median(row.batch_size * row.noise for row in rows)


def check_batch_sizes(rows: tuple[BatchSize, ...], batch_size: int) -> Finding:
    """What the table says about the batch size that is set."""
    if not rows:
        return skipped("batch size", "There are too few images, or the training diverges.")
    scale = noise_scale(rows)
    below, above = Message("below it a larger batch saves steps"), Message("above it a larger batch saves few steps")
    return passed(
        "batch size",
        "After {steps} steps noise and signal of the gradient are equal at a batch of about {scale:,.0f} images; "
        "{side}, and {batch_size} is set.",
        steps=WARM_UP,
        scale=float(f"{scale:.2g}"),
        side=below if batch_size < scale else above,
        batch_size=batch_size,
    )


def _step_seconds(work: Subject, sample: Sample) -> dict[int, float]:
    """Seconds of a training step with a batch of each size, the least of several.

    Another process on the machine can only make a step longer, and for a while: so each size has its turn in each
    round, and the least is what the step itself costs.
    """
    least: dict[int, float] = {}
    for size in SIZES:
        if 2 * size > len(sample):
            break
        _step_time(work, sample, size)  # the first one allocates
        least[size] = _step_time(work, sample, size)
        if FEWEST * least[size] > 4 * SECONDS:
            break
    for _ in range(ROUNDS):
        if sum(least.values()) > SECONDS:
            break
        for size in least:
            least[size] = min(least[size], _step_time(work, sample, size))
    return least


def _step_time(work: Subject, sample: Sample, size: int) -> float:
    """Seconds of one training step."""
    [(inputs, labels)] = sample.batches(size, 1)
    started = time.perf_counter()
    work.step(inputs, labels)
    if inputs.device.type == "cuda":
        torch.cuda.synchronize(inputs.device)
    elif inputs.device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - started


def _gradient_noise(work: Subject, sample: Sample, size: int, count: int) -> tuple[float, float]:
    """Variance of the gradient over ``count`` batches, summed over its numbers, and the squared length of its mean."""
    parameters = [parameter for parameter in work.model.parameters() if parameter.requires_grad]
    total = [torch.zeros_like(parameter) for parameter in parameters]
    squares = 0.0
    for inputs, labels in sample.batches(size, count):
        loss = work.loss(inputs, labels)
        for kept, gradient in zip(total, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
            if gradient is not None:
                kept += gradient
                squares += float(gradient.double().square().sum())
    squared_mean = sum(float((kept.double() / count).square().sum()) for kept in total)
    return (squares - count * squared_mean) / (count - 1), squared_mean


def _kept_bytes(work: Subject, sample: Sample, size: int) -> int:
    """Bytes of the tensors that the forward pass keeps for the backward pass, parameters left out."""
    own = {parameter.untyped_storage().data_ptr() for parameter in work.model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs, labels = sample.first(size)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = work.loss(inputs, labels)
    del loss
    return sum(kept.values())
