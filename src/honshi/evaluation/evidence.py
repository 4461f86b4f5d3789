"""What the curves of a training show, in numbers: the evidence behind a verdict.

Every change is set beside what the size of the validation set could bring by chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from honshi.evaluation.history import Row, best_row
from honshi.evaluation.intervals import wilson
from honshi.messages import Message

# A loss above so much of that of guessing is a shot: the steps were too long for whatever was there before.
SHOT = 1.10
# An accuracy on training images that lies so far above that on validation images is a gap.
GAP = 0.02
# A jump is a validation loss that stands so much above both what was before and what came after.
JUMP = 0.10


@dataclass(frozen=True)
class Measured:
    """A score on the training images in eval mode.

    Attributes:
        n: images.
        loss, accuracy: means over them.
    """

    n: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Evidence:
    """The numbers behind a verdict; None where there are too few epochs for one.

    Relative changes of a loss leave out what label smoothing adds to it.

    Attributes:
        epochs: finished.
        best_epoch: of lowest validation loss.
        kept_epoch: whose weights the run keeps.
        val_size: validation images.
        val_loss, val_accuracy: at the kept epoch.
        val_interval: 95 % Wilson interval of that accuracy.
        train_loss, train_accuracy: on the training images at the kept epoch.
        in_eval_mode: whether these two were measured in eval mode after the epoch, not along the way.
        gap: accuracy on training minus on validation images.
        gap_interval: 95 % interval of the gap.
        gap_since: the epoch since when there was a gap of 2 points, up to the kept one.
        fall, fall_noise: relative fall of the lowest validation loss over the last third of the epochs; what
            noise could bring.
        train_fall: relative fall of the training loss over the last third.
        train_rises: the part of the epochs in which the training loss rose by a hundredth and more.
        rise, rise_noise: relative rise of the validation loss after its best epoch, to the median of the last
            (up to five) epochs, where training went on to improve; what noise could bring.
        jumps: mean height, as a logarithm, by which the validation loss stands above both what was reached
            before and what was reached afterwards; 0 where it does so once or never.
        highest_jump: the epoch of the highest of them.
        guessing_loss: of always answering the frequencies of the classes.
        train_level, val_level: the last epoch's losses as parts of it.
        shot, train_shot: the first epoch in which either loss, or that of training, was a tenth above it.
        annealed: whether the learning rate has fallen to less than half; the loss then falls with it.
        nearest_neighbour: accuracy of taking the class of the most similar training image.
    """

    epochs: int
    best_epoch: int
    kept_epoch: int
    val_size: int
    val_loss: float
    val_accuracy: float
    val_interval: tuple[float, float]
    train_loss: float
    train_accuracy: float
    in_eval_mode: bool
    gap: float
    gap_interval: tuple[float, float]
    gap_since: int
    fall: float | None
    fall_noise: float | None
    train_fall: float | None
    train_rises: float
    rise: float | None
    rise_noise: float | None
    jumps: float
    highest_jump: int | None
    guessing_loss: float
    train_level: float
    val_level: float
    shot: int | None
    train_shot: int | None
    annealed: bool
    nearest_neighbour: float | None

    @property
    def sentences(self) -> list[Message]:
        """The evidence in words."""
        lower, upper = self.val_interval
        gap_lower, gap_upper = self.gap_interval
        in_eval_mode = Message("eval mode")
        along_the_way = Message("measured along the way, not in eval mode")
        said = [
            Message(
                "Validation {accuracy:.2%} (95 % interval {lower:.2%} to {upper:.2%}, n = {n:,}), loss {loss:.4f}, "
                "at epoch {epoch}, whose weights the run keeps.",
                accuracy=self.val_accuracy,
                lower=lower,
                upper=upper,
                n=self.val_size,
                loss=self.val_loss,
                epoch=self.kept_epoch,
            ),
            Message(
                "Training {accuracy:.2%}, loss {loss:.4f} ({how}): a gap of {gap:+.2f} points "
                "(95 % interval {lower:+.2f} to {upper:+.2f}).",
                accuracy=self.train_accuracy,
                loss=self.train_loss,
                how=in_eval_mode if self.in_eval_mode else along_the_way,
                gap=self.gap * 100,
                lower=gap_lower * 100,
                upper=gap_upper * 100,
            ),
            Message(
                "Best epoch {best} of {epochs}; guessing has a loss of {loss:.4f}.",
                best=self.best_epoch,
                epochs=self.epochs,
                loss=self.guessing_loss,
            ),
        ]
        if self.fall is not None and self.fall > 0:
            said.append(
                Message(
                    "Over the last third of the epochs the lowest validation loss fell by {fall:.1%}.", fall=self.fall
                )
            )
        elif self.fall is not None:
            said.append(
                Message("Over the last third of the epochs the lowest validation loss did not fall any further.")
            )
        if self.rise is not None and self.rise_noise is not None:
            said.append(
                Message(
                    "After the best epoch the validation loss rose by {rise:.1%}; noise could bring {noise:.1%}.",
                    rise=self.rise,
                    noise=self.rise_noise,
                )
            )
        if self.highest_jump is not None:
            said.append(
                Message(
                    "The validation loss jumps up and comes back, by {height:.1%} in an average epoch and the "
                    "farthest at epoch {epoch}.",
                    height=math.expm1(self.jumps),
                    epoch=self.highest_jump,
                )
            )
        if self.nearest_neighbour is not None:
            said.append(
                Message(
                    "Taking the class of the most similar training image, without any learning, gives {accuracy:.2%}.",
                    accuracy=self.nearest_neighbour,
                )
            )
        return said


def gather(
    rows: Sequence[Row],
    *,
    val_size: int,
    guessing_loss: float,
    train: Measured | None,
    restore_best: bool,
    loss_floor: float,
    nearest_neighbour: float | None,
) -> Evidence:
    """The evidence of at least one row, all losses finite; the arguments are those of `diagnose`."""
    best = best_row(rows)
    kept = best if restore_best else rows[-1]
    train_accuracy = train.accuracy if train is not None else kept.train_accuracy
    gap = train_accuracy - kept.val_accuracy
    # Without a measurement there is no count of training images; they are mostly the greater number.
    noise = 1.96 * math.hypot(
        _accuracy_error(kept.val_accuracy, val_size), _accuracy_error(train_accuracy, train.n) if train else 0.0
    )
    guessing = guessing_loss - loss_floor
    # What can be learnt of a loss; and never 0, so that it can be divided by.
    tiny = 1e-3 * guessing
    curves = [
        replace(
            row,
            train_loss=max(row.train_loss - loss_floor, 0.0) + tiny,
            val_loss=max(row.val_loss - loss_floor, 0.0) + tiny,
        )
        for row in rows
    ]
    fall, fall_noise, train_fall = _falls(curves, val_size)
    rise, rise_noise = _rise(curves, best.epoch, val_size)
    jumps, highest_jump = _jumps(curves, val_size)
    shots = (row.epoch for row in curves if max(row.train_loss, row.val_loss) >= SHOT * guessing)
    return Evidence(
        epochs=len(rows),
        best_epoch=best.epoch,
        kept_epoch=kept.epoch,
        val_size=val_size,
        val_loss=kept.val_loss,
        val_accuracy=kept.val_accuracy,
        val_interval=wilson(round(kept.val_accuracy * val_size), val_size),
        train_loss=train.loss if train is not None else kept.train_loss,
        train_accuracy=train_accuracy,
        in_eval_mode=train is not None,
        gap=gap,
        gap_interval=(gap - noise, gap + noise),
        gap_since=_gap_since(rows, kept.epoch),
        fall=fall,
        fall_noise=fall_noise,
        train_fall=train_fall,
        train_rises=_train_rises(curves),
        rise=rise,
        rise_noise=rise_noise,
        jumps=jumps,
        highest_jump=highest_jump,
        guessing_loss=guessing_loss,
        train_level=curves[-1].train_loss / guessing,
        val_level=curves[-1].val_loss / guessing,
        shot=next(shots, None),
        train_shot=next((row.epoch for row in curves if row.train_loss >= SHOT * guessing), None),
        annealed=rows[-1].lr < max(row.lr for row in rows) / 2,
        nearest_neighbour=nearest_neighbour,
    )


def _accuracy_error(accuracy: float, n: int) -> float:
    """Its standard error; never 0, since n images cannot show that an accuracy is 0 or 1."""
    p = (accuracy * n + 1) / (n + 2)
    return math.sqrt(p * (1 - p) / n)


def _loss_error(row: Row, n: int) -> float:
    """The standard error of a validation loss.

    History does not have the loss of each image. Nearly all of a loss comes from the images that are wrong:
    if it all did, evenly, its deviation from image to image would be this one.
    """
    p = ((1 - row.val_accuracy) * n + 1) / (n + 2)
    return row.val_loss * math.sqrt((1 - p) / p / n)


def _falls(rows: Sequence[Row], n: int) -> tuple[float | None, float | None, float | None]:
    """From before the last third of the epochs: the lowest validation loss, its noise, the training loss."""
    if len(rows) < 2:
        return None, None, None
    third = max(1, len(rows) // 3)
    before, after = best_row(rows[:-third]), best_row(rows[-third:])
    fall = (before.val_loss - after.val_loss) / before.val_loss
    noise = 2 * math.hypot(_loss_error(before, n), _loss_error(after, n)) / before.val_loss
    start = rows[-1 - third].train_loss
    return fall, noise, (start - rows[-1].train_loss) / start


def _train_rises(rows: Sequence[Row]) -> float:
    rises = [after.train_loss > 1.01 * before.train_loss for before, after in pairwise(rows)]
    return sum(rises) / len(rises) if rises else 0.0


def _rise(rows: Sequence[Row], best_epoch: int, n: int) -> tuple[float | None, float | None]:
    best = next(row for row in rows if row.epoch == best_epoch)
    later = [row for row in rows if row.epoch > best_epoch][-5:]
    if len(later) < 3 or median(row.train_loss for row in later) >= best.train_loss:
        return None, None
    rise = median(row.val_loss for row in later) - best.val_loss
    # From epoch to epoch; the best one is the luckiest of them, too.
    steps = [abs(after.val_loss - before.val_loss) for before, after in pairwise(rows[len(rows) // 2 :])]
    jitter = median(steps) / (0.6745 * math.sqrt(2))
    # The same images at two epochs: what is hard for one is hard for the other. With a correlation of 1/2
    # the error of the difference is that of one of them.
    noise = 2 * max(_loss_error(best, n), _loss_error(later[-1], n), jitter)
    return rise / best.val_loss, noise / best.val_loss


def _jumps(rows: Sequence[Row], n: int) -> tuple[float, int | None]:
    heights: dict[int, float] = {}
    losses = [row.val_loss for row in rows]
    for i in range(1, len(rows) - 1):
        base = max(min(losses[:i]), min(losses[i + 1 :]))
        noise = 2 * math.sqrt(2) * _loss_error(rows[i], n)
        heights[rows[i].epoch] = math.log(max(losses[i] - noise, base) / base)
    if sum(height >= math.log1p(JUMP) for height in heights.values()) < 2:
        return 0.0, None
    return sum(heights.values()) / len(heights), max(heights, key=lambda epoch: heights[epoch])


def _gap_since(rows: Sequence[Row], kept: int) -> int:
    """The training accuracy of an epoch is that of its middle; the mean with the next one's is that of its end."""
    since = kept
    by_epoch = {row.epoch: row for row in rows}
    while (row := by_epoch.get(since)) is not None:
        following = by_epoch.get(since + 1, row)
        if (row.train_accuracy + following.train_accuracy) / 2 - row.val_accuracy < GAP:
            break
        since -= 1
    return min(since + 1, kept)
