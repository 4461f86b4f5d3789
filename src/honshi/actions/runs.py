"""What runs there are, how each stands, and how worn the validation sets are that scored them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from honshi.errors import HonshiError
from honshi.evaluation.history import Row
from honshi.evaluation.intervals import wilson
from honshi.messages import Message
from honshi.runs import Run, all_runs, looks
from honshi.runs.folder import RUNS
from honshi.runs.status import Status


@dataclass(frozen=True)
class Score:
    """What a run reached.

    Attributes:
        kept: the epoch whose weights it keeps.
        n: validation images.
        looks: at them, by all runs.
    """

    kept: Row
    n: int
    looks: int

    @property
    def interval(self) -> tuple[float, float]:
        """Of the accuracy, 95 %."""
        return wilson(round(self.kept.val_accuracy * self.n), self.n)


@dataclass(frozen=True)
class ListedRun:
    """A run that can be read.

    Attributes:
        run: which it is.
        status: whether it is trained right now, or how that ended.
        epochs: that are finished.
        score: None before the first epoch is over.
        last: the epoch that was finished last.
    """

    run: Run
    status: Status
    epochs: int
    score: Score | None
    last: Row | None = None

    @property
    def sentences(self) -> list[Message]:
        """What else there is to say of it."""
        status, name = self.status, self.run.name
        if status.state == "running" and status.epoch is not None:
            return [
                Message(
                    "{run} is being trained by {trainer}: epoch {epoch} of {epochs}, step {step:,} of {steps:,}.",
                    run=name,
                    trainer=status.trainer,
                    epoch=min(status.epoch, self.run.recipe.training.epochs),
                    epochs=self.run.recipe.training.epochs,
                    step=status.step or 0,
                    steps=status.steps or 0,
                )
            ]
        if status.state == "failed":
            return [Message("{run} failed: {problem}", run=name, problem=status.problem)]
        if (changes := self.run.changes) is not None:
            return [Message("{run}: {changes}", run=name, changes=changes.sentence)]
        return []

    def to_dict(self) -> dict[str, Any]:
        recipe, status, score = self.run.recipe, self.status, self.score
        row = {
            "run": str(self.run.path),
            "recipe": recipe.name,
            "data": recipe.data.source,
            "state": status.state,
            "finished": self.run.finished,
            "epochs": self.epochs,
            "training": None,
            "problem": status.problem,
            "changes": None if self.run.changes is None else asdict(self.run.changes),
            "kept": None,
        }
        if status.process is not None and status.since is not None:
            row["training"] = {
                "host": status.process.host,
                "pid": status.process.pid,
                "since": status.since.isoformat(),
                "epoch": status.epoch,
                "step": status.step,
                "steps": status.steps,
            }
        if score is not None:
            row |= {"kept": score.kept.to_dict(), "interval": score.interval, "n": score.n, "looks": score.looks}
        return row


@dataclass(frozen=True)
class DamagedRun:
    """A run that cannot be read, and why."""

    run: Run
    problem: Message

    @property
    def sentences(self) -> list[Message]:
        return [Message("{run} is damaged: {problem}", run=self.run.name, problem=self.problem)]

    def to_dict(self) -> dict[str, Any]:
        return {"run": str(self.run.path), "state": "damaged", "error": str(self.problem)}


@dataclass(frozen=True)
class Runs:
    """All runs in a folder, the oldest first.

    Attributes:
        folder: where they are.
        runs: of them, none keeps another from being read.
    """

    folder: Path
    runs: list[ListedRun | DamagedRun]

    @property
    def sentences(self) -> list[Message]:
        """What there is to say of single runs, and how often each validation set was looked at."""
        if not self.runs:
            return [
                Message("There are no runs in {folder} yet. Begin with: honshi train", folder=self.folder.resolve())
            ]
        return [sentence for one in self.runs for sentence in one.sentences] + self._wear()

    def _wear(self) -> list[Message]:
        best: dict[str, tuple[Run, Score]] = {}
        for one in self.runs:
            if isinstance(one, ListedRun) and one.score is not None:
                key = looks.known_as(one.run.manifest.val_sha256)
                if key not in best or one.score.kept.val_accuracy > best[key][1].kept.val_accuracy:
                    best[key] = (one.run, one.score)
        return [
            Message(
                "{data}, best {accuracy:.2%} ({run}). {wear}",
                data=run.manifest.source,
                accuracy=score.kept.val_accuracy,
                run=run.name,
                wear=looks.describe(key, score.n, score.kept.val_accuracy).sentence,
            )
            for key, (run, score) in best.items()
        ]

    def to_list(self) -> list[dict[str, Any]]:
        return [one.to_dict() for one in self.runs]


def list_runs(folder: Path = RUNS) -> Runs:
    """All runs in a folder."""
    return Runs(folder, [listed(run) for run in all_runs(folder)])


def listed(run: Run) -> ListedRun | DamagedRun:
    """What there is to say of one run."""
    try:
        run.check()
        rows, score = run.history, None
        if rows:
            score = Score(run.kept, run.manifest.val_size, looks.count(run.manifest.val_sha256))
        return ListedRun(run, run.status, len(rows), score, rows[-1] if rows else None)
    except HonshiError as error:
        return DamagedRun(run, error.message)
