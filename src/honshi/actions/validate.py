"""The mock exam again: a run scored on its validation set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from honshi import losses
from honshi.evaluation.calibration import Reliability
from honshi.evaluation.evaluate import Evaluation
from honshi.experiment import mock_exam, open_finished
from honshi.files import not_written
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
        folds: how many there were and how often the images were dealt out to them; None where the images are a
            validation part.
        always_wrong: images that every model of the folds got wrong.
        wear: how often this validation set was looked at.
        pictures: which were drawn.
        notes: what has changed in the data since, and what could not be written beside the score.
    """

    run: Run
    data: str
    score: Evaluation
    temperature: float
    before: Reliability
    after: Reliability
    folds: tuple[int, int] | None
    always_wrong: int
    wear: Wear
    pictures: list[Path]
    notes: list[Message]

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
            *(self._calibration() if self.folds is None else self._by_folds(*self.folds)),
            Message("{wear}", wear=self.wear.sentence),
        ]

    def _calibration(self) -> list[Message]:
        return [
            Message(
                "calibration error {before:.2%}, or {after:.2%} with temperature {temperature:.3f} "
                "(fitted on these same images)",
                before=self.before.error,
                temperature=self.temperature,
                after=self.after.error,
            )
        ]

    def _by_folds(self, folds: int, repeats: int) -> list[Message]:
        return [
            Message(
                "by {folds} folds, {repeats} times: each image was scored by models that had not seen it",
                folds=folds,
                repeats=repeats,
            ),
            Message(
                "calibration error {before:.2%}, or {after:.2%} with temperatures that were fitted on other images",
                before=self.before.error,
                after=self.after.error,
            ),
            Message(
                "{count:,} images were taken for something else by all models that had not seen them: "
                "always-wrong.png shows the surest. Look whether their labels are right.",
                count=self.always_wrong,
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        by_folds = {} if self.folds is None else {"folds": self.folds[0], "repeats": self.folds[1]}
        return {
            "split": "validation",
            "run": str(self.run.path),
            **self.score.to_dict(),
            **by_folds,
            "temperature": self.temperature,
            "calibration_error": {"before": self.before.error, "after": self.after.error},
            "looks": self.wear.looks,
            "optimism": self.wear.optimism,
        }


def validate(name: str, data: str | None = None) -> Validation:
    """Score a run on its validation set, note the look, and draw what was found into the run's folder.

    Args:
        name: of the run.
        data: where its data are now, as ``--data`` takes it; where they were, if left out.

    Raises:
        RunNotFoundError: no run answers to that name.
        RunError: it is not finished, or the data have changed since.
    """
    run, model, splits = open_finished(name, data)
    criterion = losses.build(run.recipe.loss, splits.train.class_counts())
    identity, temperature = splits.manifest.val_sha256, needed_card(model).temperature
    images, answers = mock_exam(run, model, splits)
    found = answers.evaluation(splits.val.classes, criterion)
    before, after = answers.reliability(calibrated=False), answers.reliability(calibrated=True)
    drawn: dict[Path, Callable[[Path], object]] = {
        run.path / "confusion.png": partial(draw_confusion, found.confusion, splits.val.classes),
        run.path / "mistakes.png": partial(draw_mistakes, images, answers.probabilities),
        run.path / "reliability.png": partial(draw_reliability, before, after, temperature),
    }
    always_wrong = answers.always_wrong
    if answers.repeats > 1:
        some = images.subset(always_wrong)
        drawn[run.path / "always-wrong.png"] = partial(draw_mistakes, some, answers.probabilities[always_wrong])
    # A score is not lost because there is no room for what belongs beside it.
    kept_from = {path: not_written(partial(draw, path)) for path, draw in drawn.items()}
    looked = not_written(lambda: looks.note(identity, "validate", run.name))
    return Validation(
        run=run,
        data=splits.manifest.source,
        score=found,
        temperature=temperature,
        before=before,
        after=after,
        folds=(answers.count, answers.repeats) if run.manifest.by_folds else None,
        always_wrong=len(always_wrong),
        wear=looks.describe(identity, found.n, found.accuracy),
        pictures=[path for path, problem in kept_from.items() if problem is None],
        notes=[note for note in (run.changes_said, looked, *kept_from.values()) if note is not None],
    )
