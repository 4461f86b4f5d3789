"""The same recipe from several seeds: one training tells what happened, several what to expect.

Their folder has a run for each seed (``seed-0``, …), the curves with a band, and ``seeds.json``: from the beginning
what is trained and from how many seeds, after each seed what it reached, and at the end what to expect of the next.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from honshi.errors import RecipeError, RunError
from honshi.evaluation.history import best_row
from honshi.experiment.experiment import Experiment, as_begun
from honshi.experiment.loading import load_splits, look_before_training
from honshi.files import is_file, read_bounded, write_json
from honshi.models import parameter_count
from honshi.recipe import Recipe
from honshi.runs import Run, find
from honshi.runs.folder import MOST_BYTES, SEEDS, new_folder


@dataclass(frozen=True)
class Spread:
    """A number over seeds.

    Attributes:
        mean, deviation: the deviation is that of a sample (n - 1).
        lowest, highest: the range.
    """

    mean: float
    deviation: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(statistics.fmean(values), statistics.stdev(values), min(values), max(values))


@dataclass(frozen=True)
class Seeds:
    """A recipe and the seeds that it is trained from, in their folder.

    Attributes:
        folder: for the runs and for ``seeds.json``.
        recipe: its ``training.seed`` is the first seed.
        count: how many there are, one after the other.
        summaries: of those that an earlier call has trained.
    """

    folder: Path
    recipe: Recipe
    count: int
    summaries: Sequence[dict[str, Any]] = ()

    @classmethod
    def begin(cls, recipe: Recipe, count: int, out: Path | None = None) -> Self:
        """Begin in a new folder.

        Args:
            recipe: what to train.
            count: at least 2.
            out: the folder; ``runs/<date-time>-<recipe>-seeds`` if left out.

        Raises:
            RequestError: there is something in the folder already.
        """
        seeds = cls(new_folder(f"{recipe.name}-seeds", out), recipe, count)
        seeds._write([])
        return seeds

    @classmethod
    def interrupted(cls, name: str) -> Self | None:
        """Those that were interrupted in a folder of this name, or in that of a run of this name; None for another run.

        Raises:
            RunNotFoundError: nothing answers to it.
            RunError: all seeds are trained, or it cannot be told what was.
        """
        if is_file(Path(name) / SEEDS):
            return cls._read(Path(name))
        folder = find(name).path.parent
        try:
            return cls._read(folder) if (folder / SEEDS).is_file() else None
        except RunError:
            return None  # the run can go on for itself, or says itself that it is finished

    @classmethod
    def _read(cls, folder: Path) -> Self:
        path = folder / SEEDS
        try:
            content = json.loads(read_bounded(path, MOST_BYTES))
            if "val_accuracy" in content:
                raise RunError("{folder}: all seeds of this folder are trained.", folder=folder)
            recipe = Recipe.from_dict(content["recipe"], "its recipe")
            if not isinstance(content["count"], int) or content["count"] < 2:
                raise ValueError(f"its count is {content['count']!r}")
            return cls(folder, recipe, content["count"], [dict(summary) for summary in content["seeds"]])
        except (OSError, ValueError, TypeError, KeyError, RecursionError, RecipeError) as error:
            raise RunError(
                "{path}: it does not say what was to be trained from how many seeds, so they cannot go on together "
                "({problem}). Each run in this folder can, for itself: honshi train --resume {folder}/seed-…",
                path=path,
                folder=folder,
                problem=error,
            ) from error

    @property
    def runs(self) -> list[Run]:
        """The run of each seed, be it there already or not."""
        first = self.recipe.training.seed
        return [Run(self.folder / f"seed-{seed}") for seed in range(first, first + self.count)]

    def train(self, on_seed: Callable[[Run, dict[str, Any]], None] = lambda run, summary: None) -> dict[str, Any]:
        """Train from all seeds on the same split; one that was trained by an earlier call stays, and an interrupted
        one goes on.

        Args:
            on_seed: called with its run and its summary when a seed is done, also with what was done already.

        Returns:
            The content of ``seeds.json``: the folder, a summary of each run, and the spread of validation
            loss and accuracy at the epoch that each run keeps.

        Raises:
            RunError: the data have changed since the first seed.
        """
        from honshi.reports import curves  # matplotlib is needed at the end alone, and takes a while to load

        splits = load_splits(self.recipe)
        look_before_training(splits)
        earlier = {summary.get("seed"): summary for summary in self.summaries}
        summaries: list[dict[str, Any]] = []
        recipe = self.recipe
        for seed, run in enumerate(self.runs, start=self.recipe.training.seed):
            if run.finished:
                if run.manifest != splits.manifest:
                    raise RunError("{run}: the data are not those that this seed was trained on.", run=run.path)
                summary = {**(earlier.get(seed) or _summary(run)), "run": str(run.path)}
            else:
                experiment = Experiment.build(as_begun(recipe, run).changed({"training.seed": seed}), splits)
                if not (run.path / "recipe.toml").exists():
                    Run.create(experiment.recipe, run.path)
                result = experiment.train(run)
                summary = experiment.summary(run, result, sum(result.seconds.values()))
            # What was chosen for the first seed is for all.
            recipe = as_begun(recipe, run)
            summaries.append({"seed": seed, **summary})
            self._write(summaries)
            on_seed(run, summaries[-1])
        kept = [run.kept for run in self.runs]
        curves.draw_band([run.history for run in self.runs], self.folder / "curves.png")
        return self._write(
            summaries,
            val_loss=asdict(Spread.of([row.val_loss for row in kept])),
            val_accuracy=asdict(Spread.of([row.val_accuracy for row in kept])),
        )

    def _write(self, summaries: list[dict[str, Any]], **spreads: Any) -> dict[str, Any]:
        content = {
            "run": str(self.folder),
            "count": self.count,
            "recipe": self.recipe.model_dump(mode="json", exclude_none=True),
            "seeds": summaries,
            **spreads,
        }
        write_json(self.folder / SEEDS, content)
        return content


def _summary(run: Run) -> dict[str, Any]:
    """What is left of `Experiment.summary` in a finished run's folder."""
    rows = run.history
    seconds = sum(row.seconds for row in rows)
    return {
        "epochs": [row.to_dict() for row in rows],
        "best": best_row(rows).to_dict(),
        "seconds": {"load": 0.0, "train": seconds, "evaluate": 0.0, "total": seconds},
        "device": run.environment.get("device"),
        "parameters": parameter_count(run.model()),
    }
