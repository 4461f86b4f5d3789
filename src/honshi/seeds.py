"""The same recipe from several seeds: one training tells what happened, several what to expect."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from honshi.experiment import Experiment, load_splits
from honshi.files import write_json
from honshi.recipe import Recipe
from honshi.reports import curves
from honshi.runs import Run
from honshi.runs.folder import SEEDS, new_folder
from honshi.training import FitResult


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


def train_seeds(
    recipe: Recipe,
    count: int,
    out: Path | None = None,
    on_seed: Callable[[Run, Experiment, FitResult], None] | None = None,
) -> dict[str, Any]:
    """Train a recipe from ``count`` seeds, ``recipe.training.seed`` the first; all on the same split.

    The folder gets a run for each seed (``seed-0``, …), the curves with a band, and ``seeds.json``.

    Args:
        recipe: what to train.
        count: at least 2.
        out: the folder; ``runs/<date-time>-<recipe>`` if left out.
        on_seed: called when a seed is done.

    Returns:
        The content of ``seeds.json``: the folder, a summary of each run, and the spread of validation
        loss and accuracy at the epoch that each run keeps.
    """
    splits = load_splits(recipe)
    folder = new_folder(f"{recipe.name}-seeds", out)
    first = recipe.training.seed
    write_json(folder / SEEDS, {"run": str(folder), "seeds": []})
    summaries, histories, kept = [], [], []
    for seed in range(first, first + count):
        experiment = Experiment.build(recipe.changed({"training.seed": seed}), splits)
        run = Run.create(experiment.recipe, folder / f"seed-{seed}")
        result = experiment.train(run)
        summaries.append({"seed": seed, **experiment.summary(run, result, sum(result.seconds.values()))})
        histories.append(result.history)
        kept.append(run.kept)
        if on_seed is not None:
            on_seed(run, experiment, result)
    content = {
        "run": str(folder),
        "seeds": summaries,
        "val_loss": asdict(Spread.of([row.val_loss for row in kept])),
        "val_accuracy": asdict(Spread.of([row.val_accuracy for row in kept])),
    }
    curves.draw_band(histories, folder / "curves.png")
    write_json(folder / SEEDS, content)
    return content
