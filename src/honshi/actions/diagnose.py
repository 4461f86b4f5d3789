"""What a run's curves say, and what to try next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from honshi.evaluation.diagnosis import Diagnosis
from honshi.evaluation.more_images import MoreImages
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.evaluation.remedies import Remedy, remedies_for
from honshi.experiment import answered_images, diagnose_run, more_images, open_finished
from honshi.files import not_written
from honshi.messages import Message
from honshi.runs import Run, find


@dataclass(frozen=True)
class RunDiagnosis:
    """A verdict on a run.

    Attributes:
        run: which it is.
        diagnosis: the verdict and what it rests on.
        remedies: what to try, the largest gain to expect first.
        picture: the curves with the place that the verdict is about; None where there is no epoch to draw.
        note: why the picture could not be written, if it could not.
        more: what more pictures would bring, where that is known in a moment.
        changes: what has become of its data since, where that is anything.
    """

    run: Run
    diagnosis: Diagnosis
    remedies: list[Remedy]
    picture: Path | None
    note: Message | None
    more: MoreImages | None = None
    changes: Message | None = None

    def command(self, remedy: Remedy) -> str:
        """What tries a remedy on this run's recipe."""
        return remedy.command(self.run.path / "recipe.toml")

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": str(self.run.path),
            **self.diagnosis.to_dict(),
            "picture": str(self.picture) if self.picture is not None else None,
            **({} if self.more is None else {"more_images": self.more.to_dict()}),
            "remedies": [
                {
                    "name": str(remedy.name),
                    "why": str(remedy.why),
                    "changes": dict(remedy.changes),
                    "command": self.command(remedy),
                }
                for remedy in self.remedies
            ],
        }


def diagnose(name: str, data: str | None = None) -> RunDiagnosis:
    """Read the curves of a run and mark in a picture what the verdict is about.

    Args:
        name: of the run, be it finished, interrupted or diverged.
        data: where its data are now, as ``--data`` takes it; where they were, if left out.

    Raises:
        RunNotFoundError: no run answers to that name.
        RunError: not one epoch is finished, or the data have changed since.
    """
    run = find(name)
    diagnosis = diagnose_run(run, data)
    picture, note = None, None
    more = _more_images(run, data)
    if rows := run.history:
        from honshi.reports.curves import draw_diagnosis  # matplotlib takes a while to load

        picture = run.path / "diagnosis.png"
        note = not_written(lambda: draw_diagnosis(rows, diagnosis, picture))
    if more is not None:
        from honshi.reports.more_images import draw_more_images

        note = note or not_written(lambda: draw_more_images(more.points, run.path / "more-images.png"))
    return RunDiagnosis(
        run=run,
        diagnosis=diagnosis,
        remedies=remedies_for(diagnosis.verdict, run.recipe, run.available),
        picture=picture if note is None else None,
        note=note,
        more=more,
        changes=run.changes_said,
    )


def _more_images(run: Run, data: str | None) -> MoreImages | None:
    """What more pictures would bring to a finished run by folds."""
    if not run.finished or not run.manifest.by_folds:
        return None
    run, model, splits = open_finished(str(run.path), data)
    images, places = answered_images(run, splits)
    return more_images(run.recipe, model, replace(splits, train=images), OutOfFold.read(run.path).subset(places))
