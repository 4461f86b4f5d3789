"""The mock exam again: a run scored on its validation set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from honshi import losses
from honshi.evaluation.calibration import Reliability, reliability
from honshi.evaluation.evaluate import Evaluation, infer, score
from honshi.experiment import open_finished
from honshi.messages import Message
from honshi.models.card import needed_card
from honshi.reports.confusion import draw_confusion
from honshi.reports.mistakes import draw_mistakes
from honshi.reports.reliability import draw_reliability
from honshi.runs import Run, looks
from honshi.runs.looks import Wear


@dataclass(frozen=True)
class Validation:
    """A run's score on its validation set.

    Attributes:
        run: which was scored.
        data: what its data set is called.
        score: loss, accuracy and each class.
        temperature: by which the logits are divided for a calibrated confidence.
        before, after: confidence against accuracy, without and with it.
        wear: how often this validation set was looked at.
        pictures: which were drawn.
    """

    run: Run
    data: str
    score: Evaluation
    temperature: float
    before: Reliability
    after: Reliability
    wear: Wear
    pictures: list[Path]

    @property
    def sentences(self) -> list[Message]:
        lower, upper = self.score.interval
        return [
            Message("Validation of {run}, the mock exam ({data})", run=self.run.path, data=self.data),
            Message(
                "accuracy {accuracy:.2%} (95 % interval {lower:.2%} to {upper:.2%}, n = {n:,}), loss {loss:.4f}",
                accuracy=self.score.accuracy,
                lower=lower,
                upper=upper,
                n=self.score.n,
                loss=self.score.loss,
            ),
            Message(
                "calibration error {before:.2%}, with temperature {temperature:.3f} {after:.2%} "
                "(fitted on these same images)",
                before=self.before.error,
                temperature=self.temperature,
                after=self.after.error,
            ),
            Message("{wear}", wear=self.wear.sentence),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "split": "validation",
            "run": str(self.run.path),
            **self.score.to_dict(),
            "temperature": self.temperature,
            "calibration_error": {"before": self.before.error, "after": self.after.error},
            "looks": self.wear.looks,
            "optimism": self.wear.optimism,
        }


def validate(name: str) -> Validation:
    """Score a run on its validation set, note the look, and draw what was found into the run's folder.

    Args:
        name: of the run.

    Raises:
        RunNotFoundError: no run answers to that name.
        RunError: it is not finished, or the data have changed since.
    """
    run, model, splits = open_finished(name)
    criterion = losses.build(run.recipe.loss, splits.train.class_counts())
    logits, labels = infer(model, splits.val)
    found = score(logits, labels, splits.val.classes, criterion)
    looks.note(splits.manifest.val_sha256, "validate", run.name)
    temperature = needed_card(model).temperature
    before, after = reliability(logits, labels), reliability(logits, labels, temperature)
    pictures = [run.path / name for name in ("confusion.png", "mistakes.png", "reliability.png")]
    draw_confusion(found.confusion, splits.val.classes, pictures[0])
    draw_mistakes(splits.val, (logits / temperature).softmax(1), pictures[1])
    draw_reliability(before, after, temperature, pictures[2])
    return Validation(
        run=run,
        data=splits.manifest.source,
        score=found,
        temperature=temperature,
        before=before,
        after=after,
        wear=looks.describe(splits.manifest.val_sha256, found.n, found.accuracy),
        pictures=pictures,
    )
