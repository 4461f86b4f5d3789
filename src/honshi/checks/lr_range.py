"""The learning-rate range test: raise the rate at every step, and see where the loss falls and where it bursts.

L. N. Smith, "Cyclical learning rates for training neural networks", 2017 (arXiv:1506.01186).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from honshi.checks.finding import Finding, passed, warned
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject, peak_lr, set_lr
from honshi.messages import Message
from honshi.models.modes import train_mode

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 140
# The running mean by which single batches are smoothed, as a part kept at each step.
MEMORY = 0.9
# So many times the best loss is no longer training.
BURST = 3.0
# A loss that is not even so far down has not fallen.
FALLEN = 0.97
# A rate so many times below the suggestion trains, and takes its time.
SLOW = 30
# One that many times above it, with which nothing was learnt, is too large.
FAST = 3


@dataclass(frozen=True)
class LRRange:
    """What a range test saw.

    Attributes:
        lrs: the learning rate of each step, rising.
        losses: the smoothed loss before each step.
        lr: the one that the optimizer was made with.
        suggestion: a rate at which the loss falls well, to one digit; None where it never fell.
        bursts_at: where the loss lost again what it had won; None where it never did.
    """

    lrs: tuple[float, ...]
    losses: tuple[float, ...]
    lr: float
    suggestion: float | None
    bursts_at: float | None

    def plot(self, path: str | Path) -> None:
        """Draw the loss against the learning rate to a picture."""
        from honshi.reports.lr_range import draw_lr_range  # matplotlib takes a while to load

        draw_lr_range(self.lrs, self.losses, self.lr, self.suggestion, Path(path))


def measure_lr_range(subject: Subject, sample: Sample, batch_size: int) -> LRRange:
    """Take one step at each rate from 1e-6 to 10, on a copy of model and optimizer."""
    lr = peak_lr(subject.optimizer)
    work = subject.copy()
    train_mode(work.model)
    lrs: list[float] = []
    losses: list[float] = []
    mean, bursts_at = 0.0, None
    for step, (inputs, labels) in enumerate(sample.batches(batch_size, STEPS)):
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        set_lr(work.optimizer, rate)
        _, loss = work.step(inputs, labels)
        mean = MEMORY * mean + (1 - MEMORY) * loss
        smooth = mean / (1 - MEMORY ** (step + 1))
        if not math.isfinite(smooth) or (losses and _burst(smooth, losses)):
            bursts_at = rate
            break
        lrs.append(rate)
        losses.append(smooth)
    return LRRange(tuple(lrs), tuple(losses), lr, _suggest(lrs, losses), bursts_at)


def check_lr_range(found: LRRange, learnt: bool) -> Finding:
    """Whether the optimizer's learning rate is one at which the loss falls, and not far below it.

    Args:
        found: by the range test.
        learnt: whether a subset was learnt with the rate that is set, which proves it more than a sweep can.
    """
    lr, suggestion = found.lr, found.suggestion
    if suggestion is None:
        return (passed if learnt else warned)(
            "learning rate",
            "The range test suggests no learning rate: the loss did not fall within {steps} steps from {lowest:g} to "
            "{highest:g}.",
            steps=STEPS,
            lowest=LOWEST,
            highest=HIGHEST,
        )
    if not learnt and lr >= min(found.bursts_at or math.inf, FAST * suggestion):
        bursts = Message("")
        if found.bursts_at is not None:
            bursts = Message(" and bursts from {lr:.1g} on", lr=found.bursts_at)
        return warned(
            "learning rate",
            "The learning rate {lr:g} is large, the loss falls best about {suggestion:g}{bursts}: try {suggestion:g}.",
            lr=lr,
            suggestion=suggestion,
            bursts=bursts,
        )
    if not learnt and lr < suggestion / SLOW:
        return warned(
            "learning rate",
            "The learning rate {lr:g} is small, the loss falls best about {suggestion:g}: try that.",
            lr=lr,
            suggestion=suggestion,
        )
    return passed(
        "learning rate",
        "The range test suggests a learning rate of {suggestion:g}, and {lr:g} is set.",
        suggestion=suggestion,
        lr=lr,
    )


def _burst(smooth: float, losses: list[float]) -> bool:
    """Whether what had been won is lost again. Dead ReLUs end at the loss of guessing, which is no multiple."""
    best = min(losses)
    return smooth > BURST * best or (best < FALLEN * losses[0] and smooth > losses[0])


def _suggest(lrs: list[float], losses: list[float]) -> float | None:
    """Between the two usual readings of the curve: its steepest fall, and a tenth of where it is lowest."""
    lowest = min(range(len(losses)), key=losses.__getitem__)
    if losses[lowest] > FALLEN * losses[0]:
        return None
    # Over a quarter of a decade to each side, so that single steps do not decide.
    width = 5
    falls = [losses[min(step + width, lowest)] - losses[max(step - width, 0)] for step in range(lowest + 1)]
    steepest = min(range(len(falls)), key=falls.__getitem__)
    return float(f"{math.sqrt(lrs[steepest] * lrs[lowest] / 10):.1g}")
