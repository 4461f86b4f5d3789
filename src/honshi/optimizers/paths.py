"""Many regularisation paths at once: linear models on the same features, each trained on some of the rows.

It finds what `honshi.optimizers.Path` finds for each of them. Together they take one product of matrices a step, where
twenty-five of them one after the other take twenty-five small ones.

Source: J. Friedman, T. Hastie, R. Tibshirani, "Regularization paths for generalized linear models via coordinate
descent", 2010; by L-BFGS (D. Liu, J. Nocedal, 1989), in which each problem has curvature and step lengths of its own
and begins from the curvature that the features' own covariance gives.

Of two classes one is learnt: from weights of 0 the other's are the same with the other sign, because what one class
gains the other loses.

Shapes: m problems; n rows; d features; k classes, of which c are learnt; p = (d + 1) c weights of one problem; r
directions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Steps for one strength at most, and pairs of differences that the curvature is known by.
STEPS, PAIRS = 100, 8
# Where a step promises no problem to lower loss and decay by more than this, each is solved.
SMALL = 5e-5
# A step has to bring this share of what the slope promises; it is halved so often at most.
WORTH, HALVINGS = 1e-4, 20
# So many directions in which the features vary most are known one by one.
DIRECTIONS = 256


class Paths:
    """Linear models, each on features that are brought to mean 0 and deviation 1 by its own training rows."""

    def __init__(self, features: Tensor, masses: Tensor, mean: Tensor, std: Tensor) -> None:
        """
        Args:
            features: float32 (n, d).
            masses: what -log p of each class is multiplied by, of each row, in the loss of each problem: 0 of rows
                that it does not learn from (m, n, k).
            mean, std: by which each problem's features are brought to mean 0 and deviation 1, (m, d).
        """
        self.features, self.masses, self.mean, self.std = features, masses, mean, std
        # Two for an opposite pair: each learnt number stands for so many.
        self._pair = 2 if masses.shape[2] == 2 else 1
        self._learnt = features.new_zeros(len(masses), features.shape[1] + 1, masses.shape[2] // self._pair)
        self._variance = _Variance.of((features - mean[-1]) / std[-1])

    @property
    def weights(self) -> Tensor:
        """Of each problem, the last row being the bias (m, d + 1, k)."""
        return self._both(self._learnt)

    def _both(self, learnt: Tensor) -> Tensor:
        """What is known of the learnt classes (..., c), of all of them (..., k)."""
        return torch.cat([-learnt, learnt], -1) if self._pair == 2 else learnt

    def walk(self, decays: Sequence[float]) -> Iterator[Tensor]:
        """The logits (m, n, k) of all rows, for one strength of weight decay after the other, the strongest first.

        When they are given, `weights` are the best ones for that strength.
        """
        for decay in decays:
            self._solve(decay)
            yield self._logits(self._learnt)

    def _logits(self, learnt: Tensor) -> Tensor:
        matrices = learnt[:, :-1] / self.std.unsqueeze(2)  # (m, d, c), on features as they are
        biases = learnt[:, -1] - (self.mean.unsqueeze(1) @ matrices).squeeze(1)  # (m, c)
        together = self.features @ matrices.transpose(0, 1).flatten(1)  # (n, m c)
        scores = together.view(len(self.features), len(learnt), -1).transpose(0, 1) + biases.unsqueeze(1)
        return self._both(scores)

    def _value(self, flat: Tensor, decay: float) -> tuple[Tensor, Tensor, Tensor]:
        """Loss and decay together (m,), their gradients (m, p), and the mean curvature of the loss (m,)."""
        learnt = flat.view(self._learnt.shape)
        logs = self._logits(learnt).log_softmax(2)  # (m, n, k)
        loss = -(self.masses * logs).sum((1, 2))
        shares = logs.exp()
        whole = self.masses.sum(2, keepdim=True)
        back = shares * whole - self.masses  # (m, n, k): gradient with respect to the logits
        curvature = (whole * shares * (1 - shares)).mean(2).sum(1)
        if self._pair == 2:
            # One number moves both classes' logits, in opposite directions.
            back, curvature = back[..., 1:] - back[..., :1], 4 * curvature
        together = self.features.T @ back.transpose(0, 1).flatten(1)  # (d, m c)
        biases = back.sum(1)  # (m, c)
        matrices = together.view(self.features.shape[1], len(flat), -1).transpose(0, 1)
        matrices = (matrices - self.mean.unsqueeze(2) * biases.unsqueeze(1)) / self.std.unsqueeze(2)
        decay *= self._pair
        gradient = torch.cat([matrices + decay * learnt[:, :-1], biases.unsqueeze(1)], 1)
        return loss + decay / 2 * (learnt[:, :-1] ** 2).sum((1, 2)), gradient.flatten(1), curvature

    def _solve(self, decay: float) -> None:
        at = self._learnt.flatten(1)  # (m, p)
        value, gradient, curvature = self._value(at, decay)
        pairs = deque[_Pair](maxlen=PAIRS)

        def solved(right: Tensor) -> Tensor:
            shaped = right.view(self._learnt.shape)
            matrices = self._variance.solved(shaped[:, :-1], curvature, self._pair * decay)
            biases = shaped[:, -1:] / curvature.clamp(min=1e-6).view(-1, 1, 1)
            return torch.cat([matrices, biases], 1).flatten(1)

        for _ in range(STEPS):
            direction = -_two_loops(gradient, pairs, solved)
            slope = (direction * gradient).sum(1)
            # Where rounding has spoilt the curvature the gradient itself leads down.
            upwards = slope >= 0
            direction = torch.where(upwards.unsqueeze(1), -gradient, direction)
            slope = torch.where(upwards, -(gradient**2).sum(1), slope)
            # Half of it is what Newton's step would gain.
            if float(-slope.min()) < 2 * SMALL:
                break
            found = _step(lambda weights: self._value(weights, decay), at, value, direction, slope)
            if found is None:
                break
            moved, value, changed, curvature = found
            pairs.append(_Pair.of(moved - at, changed - gradient))
            at, gradient = moved, changed
        self._learnt = at.view(self._learnt.shape)


@dataclass(frozen=True)
class _Variance:
    """How features vary: in some directions (d, r) so much (r,), and in all others so much each."""

    directions: Tensor
    variances: Tensor
    rest: float

    @classmethod
    def of(cls, features: Tensor) -> _Variance:
        """Of features of mean 0 (n, d)."""
        count, width = features.shape
        # What is drawn decides about speed alone, and must not move anyone's generator.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, values, directions = torch.svd_lowrank(features, q=min(DIRECTIONS, count, width))
        variances = values**2 / count
        others = width - len(variances)
        rest = float((features**2).mean() * width - variances.sum()) / others if others else 0.0
        return cls(directions, variances, max(rest, 0.0))

    def solved(self, right: Tensor, curvature: Tensor, decay: float) -> Tensor:
        """(curvature x covariance + decay)^-1 times ``right`` (m, d, k), for curvatures (m,)."""
        problems, width, classes = right.shape
        bent = curvature.repeat_interleave(classes)  # (m k,)
        together = right.transpose(0, 1).reshape(width, problems * classes)
        flat = 1 / (bent * self.rest + decay + 1e-12)  # (m k,)
        steep = 1 / (self.variances.unsqueeze(1) * bent + decay + 1e-12) - flat  # (r, m k)
        found = together * flat + self.directions @ (steep * (self.directions.T @ together))
        return found.view(width, problems, classes).transpose(0, 1)


@dataclass(frozen=True)
class _Pair:
    """A step and the change of the gradient over it (m, p), and the inverse of their product (m,); 0 where that says
    nothing."""

    step: Tensor
    change: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, step: Tensor, change: Tensor) -> _Pair:
        product = (step * change).sum(1)
        says = product > 1e-10 * (change**2).sum(1)
        return cls(step, change, torch.where(says, 1 / torch.where(says, product, 1.0), 0.0))


def _step(
    value_of: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
    at: Tensor,
    value: Tensor,
    direction: Tensor,
    slope: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """Where each problem's step ends (m, p), with what is known there; None where none gains by any."""
    length = torch.ones_like(value)
    for _ in range(HALVINGS):
        moved = at + length.unsqueeze(1) * direction
        there, gradient, curvature = value_of(moved)
        # What is lost in rounding is no loss.
        short = there > value + WORTH * length * slope + 1e-7 * value.abs()
        if not bool(short.any()):
            return moved, there, gradient, curvature
        length = torch.where(short, length / 2, length)
    if bool(short.all()):
        return None
    moved = torch.where(short.unsqueeze(1), at, moved)
    return moved, *value_of(moved)


def _two_loops(gradient: Tensor, pairs: deque[_Pair], solved: Callable[[Tensor], Tensor]) -> Tensor:
    """The inverse of the curvature, as far as it is known, times the gradient (m, p)."""
    found, shares = gradient.clone(), []
    for pair in reversed(pairs):
        share = pair.inverse * (pair.step * found).sum(1)
        found -= share.unsqueeze(1) * pair.change
        shares.append(share)
    found = solved(found)
    for pair, share in zip(pairs, reversed(shares), strict=True):
        found += (share - pair.inverse * (pair.change * found).sum(1)).unsqueeze(1) * pair.step
    return found
