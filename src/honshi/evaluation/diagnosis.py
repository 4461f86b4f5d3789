"""What the two curves say when they are read together: a verdict, and what it rests on.

Source: the lecture's part on overfitting (training error falls, validation error rises, the gap grows) and
on the cycle of improvement. Every finding has to exceed what the validation set's size could bring by chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from honshi.evaluation.evidence import GAP, Evidence, Measured, gather
from honshi.evaluation.history import Row
from honshi.evaluation.intervals import wilson
from honshi.messages import Message

Verdict = Literal[
    "good-fit",
    "underfitting",
    "overfitting",
    "diverged",
    "stuck",
    "plateaued",
    "still-learning",
    "unstable",
    "too-noisy",
]

# From where on something has a name, once it is more than noise. These thresholds were set on trainings on
# MNIST (docs/diagnose.md).
ERROR_RATIO = 1.5  # validation error over training error, beside a gap
RISE = 0.05  # of the validation loss since its best epoch
FALL = 0.10  # of a loss over the last third of the epochs
JUMPS = 0.10  # mean height of the jumps of the validation loss
RESTLESS = 0.25  # of the epochs, in which the training loss rose
GUESSING = 0.90  # of the loss of guessing: nothing has been learnt yet
STUCK = 0.70  # likewise, where the curves are flat
MOVING = 0.998  # of the loss of guessing: a beginning
POOR = 0.80  # a lower accuracy is poor on any data
WIDE = 0.03  # half the width of the interval of the validation accuracy


@dataclass(frozen=True)
class Divergence:
    """Where a training stopped because a loss became infinite or NaN; ``diverged.json`` of a run folder.

    Attributes:
        epoch: from 1.
        step: the mini-batch in it, from 1; None where it was the validation loss.
        problem: the message.
    """

    epoch: int
    step: int | None
    problem: str


@dataclass(frozen=True)
class Diagnosis:
    """A verdict on a training.

    Attributes:
        verdict: one of `Verdict`.
        epoch: where it shows: since when it overfits, where it diverged, where it jumped farthest.
        sentence: the verdict in words.
        evidence: None where not one epoch was finished.
    """

    verdict: Verdict
    epoch: int | None
    sentence: Message
    evidence: Evidence | None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "sentence": str(self.sentence)}


def diagnose(
    rows: Sequence[Row],
    *,
    val_size: int,
    guessing_loss: float,
    train: Measured | None = None,
    restore_best: bool = True,
    loss_floor: float = 0.0,
    nearest_neighbour: float | None = None,
    divergence: Divergence | None = None,
) -> Diagnosis:
    """Read the curves of a training.

    The findings are tried in the order of what has to be cured first: a training that diverged says nothing
    about the size of its model.

    Args:
        rows: the history; it may be empty where there is a divergence.
        val_size: validation images, at least 1.
        guessing_loss: of always answering the frequencies of the classes (`honshi.losses.guessing_loss`).
        train: the kept model on its training images in eval mode. Without it the history's own values are
            taken, which lag behind by half an epoch and feel dropout and augmentation.
        restore_best: whether the weights kept are those of the best epoch, else of the last.
        loss_floor: the lowest loss that label smoothing leaves possible (`honshi.losses.floor`).
        nearest_neighbour: what can be had without learning (`honshi.evaluation.reference`).
        divergence: where the training stopped because a loss became infinite or NaN.
    """
    finite = [row for row in rows if all(map(math.isfinite, (row.train_loss, row.val_loss)))]
    evidence = None
    if finite:
        evidence = gather(
            finite,
            val_size=val_size,
            guessing_loss=guessing_loss,
            train=train,
            restore_best=restore_best,
            loss_floor=loss_floor,
            nearest_neighbour=nearest_neighbour,
        )
    if divergence is None and len(finite) < len(rows):
        broken = next(row for row in rows if row not in finite)
        divergence = Divergence(broken.epoch, None, "a loss became infinite or NaN")
    if divergence is not None:
        where = Message("epoch {epoch}", epoch=divergence.epoch)
        if divergence.step is not None:
            where = Message("epoch {epoch}, step {step}", epoch=divergence.epoch, step=divergence.step)
        said = Message("Diverged in {where}: a loss became infinite or NaN; lower the learning rate.", where=where)
        return Diagnosis("diverged", divergence.epoch, said, evidence)
    if evidence is None:
        raise ValueError("there is neither a row nor a divergence to diagnose")
    return _judge(evidence)


def _judge(evidence: Evidence) -> Diagnosis:
    """The first finding that holds, from the gravest down."""

    def found(verdict: Verdict, epoch: int | None, sentence: Message) -> Diagnosis:
        return Diagnosis(verdict, epoch, sentence, evidence)

    epochs, best = evidence.epochs, evidence.best_epoch
    if min(evidence.train_level, evidence.val_level) >= GUESSING:
        if evidence.shot is not None:
            return found(
                "diverged",
                evidence.shot,
                Message(
                    "Diverged in epoch {shot}: the loss shot above that of guessing, and the training ended no better "
                    "than guessing; lower the learning rate.",
                    shot=evidence.shot,
                ),
            )
        if epochs < 3 or evidence.val_level < MOVING:
            return found(
                "plateaued",
                epochs,
                Message(
                    "Plateaued: after {epochs} epochs it is hardly better than guessing, and slowly getting better; "
                    "train longer, or with a higher learning rate.",
                    epochs=epochs,
                ),
            )
        return _stuck(evidence)
    if evidence.train_shot is not None:
        return found(
            "unstable",
            evidence.train_shot,
            Message(
                "Unstable: in epoch {train_shot} the training loss shot above that of guessing before it came "
                "back; lower the learning rate.",
                train_shot=evidence.train_shot,
            ),
        )
    if evidence.jumps >= JUMPS:
        return found(
            "unstable",
            evidence.highest_jump,
            Message(
                "Unstable: the validation loss jumps up and down by more than noise, the farthest at epoch "
                "{highest_jump}; lower the learning rate.",
                highest_jump=evidence.highest_jump,
            ),
        )
    if evidence.rise is not None and evidence.rise_noise is not None and evidence.rise > max(RISE, evidence.rise_noise):
        return found(
            "overfitting",
            best,
            Message(
                "Overfitting since epoch {best}: from there on the training loss falls and the validation loss rises.",
                best=best,
            ),
        )
    if (
        evidence.fall is not None
        and evidence.fall_noise is not None
        and evidence.fall > max(FALL, evidence.fall_noise)
        and not evidence.annealed
    ):
        return found(
            "still-learning",
            epochs,
            Message(
                "Still learning: the validation loss falls to the end, by {fall:.0%} over the last third of the "
                "epochs; train longer.",
                fall=evidence.fall,
            ),
        )
    train_error, val_error = 1 - evidence.train_accuracy, 1 - evidence.val_accuracy
    if evidence.gap_interval[0] > GAP and val_error >= ERROR_RATIO * train_error:
        return found(
            "overfitting",
            evidence.gap_since,
            Message(
                "Overfitting since epoch {gap_since}: from there on it knows its own images better, by {gap:.1f} "
                "points in the end.",
                gap_since=evidence.gap_since,
                gap=evidence.gap * 100,
            ),
        )
    lower, upper = evidence.val_interval
    if evidence.nearest_neighbour is not None and upper < evidence.nearest_neighbour:
        return _poor(evidence, Message("worse than looking for the most similar training image"))
    if upper < POOR and evidence.train_accuracy < POOR:
        return _poor(evidence, Message("wrong on {error:.0%} of its own training images", error=train_error))
    half = (upper - lower) / 2
    if half > WIDE:
        return found(
            "too-noisy",
            None,
            Message(
                "Too noisy to say: nothing stands out, and {val_size:,} validation images tell the accuracy only to ± "
                "{half:.1%}.",
                val_size=evidence.val_size,
                half=half,
            ),
        )
    if epochs == 1:
        return found("too-noisy", None, Message("Too early to say: nothing stands out, and one epoch is no curve."))
    return found(
        "good-fit",
        None,
        Message(
            "Good fit: no gap that matters ({gap:+.1f} points), no rise, and little left to gain by training longer.",
            gap=evidence.gap * 100,
        ),
    )


def _poor(evidence: Evidence, how: Message) -> Diagnosis:
    """A score that is low and has no gap: is it that of a model too small, or is it on its way?"""
    if evidence.train_fall is not None and evidence.train_fall >= FALL and not evidence.annealed:
        return Diagnosis(
            "still-learning",
            evidence.epochs,
            Message(
                "Still learning: it is {how}, and the training loss fell by {train_fall:.0%} over the last third "
                "of the epochs; train longer.",
                how=how,
                train_fall=evidence.train_fall,
            ),
            evidence,
        )
    if evidence.train_rises >= RESTLESS:
        return Diagnosis(
            "unstable",
            evidence.highest_jump,
            Message(
                "Unstable: it is {how}, and the training loss itself went up in {train_rises:.0%} of the epochs; "
                "lower the learning rate.",
                how=how,
                train_rises=evidence.train_rises,
            ),
            evidence,
        )
    if evidence.train_level >= STUCK:
        return _stuck(evidence)
    return Diagnosis(
        "underfitting",
        None,
        Message("Underfitting: it has stopped improving, has hardly a gap, and is {how}.", how=how),
        evidence,
    )


def _stuck(evidence: Evidence) -> Diagnosis:
    return Diagnosis(
        "stuck",
        None,
        Message(
            "Stuck: after {epochs} epochs it does little better than guessing, and nothing moves: the "
            "network is too small, or steps that were too long have killed it.",
            epochs=evidence.epochs,
        ),
        evidence,
    )


def split_verdict(row: Row, val_size: int) -> Message:
    """One sentence on the gap between training and validation accuracy at an epoch.

    The gap counts only where the training accuracy lies outside the 95 % interval of the validation
    accuracy: a validation set of this size cannot tell smaller differences from luck.
    """
    lower, upper = wilson(round(row.val_accuracy * val_size), val_size)
    gap = (row.train_accuracy - row.val_accuracy) * 100
    if row.train_accuracy > upper:
        verdict = Message(
            "training {gap:.2f} points above it: more than chance, it knows its own images better", gap=gap
        )
    elif row.train_accuracy < lower:
        verdict = Message(
            "training {gap:.2f} points below it: as while it still learns fast, or with dropout", gap=-gap
        )
    else:
        verdict = Message(
            "training {accuracy:.2%}: no gap that {n:,} images could show", accuracy=row.train_accuracy, n=val_size
        )
    return Message(
        "Validation {accuracy:.2%} (95 % interval {lower:.2%} to {upper:.2%}, n = {n:,}), {verdict}.",
        accuracy=row.val_accuracy,
        lower=lower,
        upper=upper,
        n=val_size,
        verdict=verdict,
    )
