"""The folder of one run.

recipe.toml        everything needed to repeat it
split.json         which images were for training and which for validation
environment.json   where and when it ran, with which versions
history.csv        a row an epoch
state.pt           what it needs to go on; only while it may still be resumed
model.safetensors  the weights
model.json         what the weights mean; its presence says that the run is finished
diverged.json      where and why it stopped; only where a loss was no number any more
curves.png         the learning curves
improved.toml      the recipe with the remedies that `honshi improve` kept; only where there are any
improvement.json   every remedy that it tried
diagnosis.png      the curves with the place that the verdict of `honshi diagnose` is about
leaks.json         validation images that are training images too; only where there are any
leaks.png          the same as pictures
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from torch import nn

from honshi.data.manifest import Manifest
from honshi.errors import RecipeError, RequestError, RunError
from honshi.evaluation.diagnosis import Divergence
from honshi.evaluation.history import COLUMNS, Row, best_row
from honshi.files import write_json, write_whole
from honshi.recipe import Recipe
from honshi.runs.weights import load_model, save

RUNS = Path("runs")
# What a folder of several seeds of one recipe says of them.
SEEDS = "seeds.json"


@dataclass(frozen=True)
class Run:
    """A run's folder; nothing is read before it is asked for.

    Raises:
        RunError: by everything that reads, when a file is missing or damaged.
    """

    path: Path

    @classmethod
    def create(cls, recipe: Recipe, path: Path | None = None) -> Self:
        """Make the folder of a new run.

        Raises:
            RequestError: as `new_folder`.
        """
        run = cls(new_folder(recipe.name, path))
        write_whole(run.path / "recipe.toml", recipe.to_toml().encode())
        return run

    @property
    def name(self) -> str:
        """The folder's name; of one seed among several ``<name>/seed-0``; of a search ``<name>/base/seed-0``."""
        path = self.path.resolve()
        if RUNS.resolve() in path.parents:
            return path.relative_to(RUNS.resolve()).as_posix()
        return f"{path.parent.name}/{path.name}" if (path.parent / SEEDS).exists() else path.name

    @property
    def state(self) -> Path:
        """Where the state of an unfinished training is."""
        return self.path / "state.pt"

    @property
    def finished(self) -> bool:
        return (self.path / "model.json").is_file()

    @cached_property
    def recipe(self) -> Recipe:
        try:
            return Recipe.from_toml(self._text("recipe.toml"), str(self.path / "recipe.toml"))
        except RecipeError as error:
            raise RunError(str(error)) from error

    @cached_property
    def manifest(self) -> Manifest:
        try:
            return Manifest.from_json(self._text("split.json"))
        except (ValueError, TypeError) as error:
            raise RunError(f"{self.path / 'split.json'}: this is not a manifest of a split: {error}.") from error

    @cached_property
    def environment(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._text("environment.json")))
        except (ValueError, TypeError) as error:
            raise RunError(f"{self.path / 'environment.json'}: this is not JSON: {error}.") from error

    @property
    def history(self) -> list[Row]:
        """The rows so far; none before the first epoch is over."""
        if not (self.path / "history.csv").exists():
            return []
        reader = csv.reader(io.StringIO(self._text("history.csv")))
        try:
            if tuple(next(reader)) != COLUMNS:
                raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
            return [Row(int(epoch), *map(float, values)) for epoch, *values in reader]
        except (ValueError, TypeError, StopIteration, csv.Error) as error:
            raise RunError(f"{self.path / 'history.csv'}: this is not a history of a training: {error}.") from error

    @property
    def kept(self) -> Row:
        """The row of the epoch whose weights the run has kept."""
        rows = self.history
        if not rows:
            raise RunError(f"{self.path}: no epoch of this run is finished.")
        return best_row(rows) if self.recipe.training.restore_best else rows[-1]

    @property
    def available(self) -> int:
        """Training images that there are, before the recipe took a subset; then, as far as the split tells."""
        manifest = self.manifest
        if self.recipe.data.subset is None:
            return manifest.train_size
        # The fraction was rounded to whole images: this is the least that it may have been.
        least = math.ceil((manifest.val_size - 0.5) / manifest.val_fraction) - manifest.val_size
        return max(least, manifest.train_size)

    @property
    def divergence(self) -> Divergence | None:
        """Where the training diverged, if it did."""
        if not (self.path / "diverged.json").exists():
            return None
        try:
            return Divergence(**json.loads(self._text("diverged.json")))
        except (ValueError, TypeError) as error:
            raise RunError(f"{self.path / 'diverged.json'}: this is no record of a divergence: {error}.") from error

    def model(self) -> nn.Module:
        """The trained model, in eval mode."""
        if not self.finished:
            raise RunError(f"{self.path}: this run is not finished. Go on with it: honshi train --resume {self.path}")
        return load_model(self.path / "model.safetensors")

    def write_start(self, manifest: Manifest, environment: dict[str, Any]) -> None:
        """Freeze what the run begins with."""
        write_json(self.path / "split.json", manifest.to_dict())
        write_json(self.path / "environment.json", environment)

    def write_history(self, rows: list[Row]) -> None:
        content = io.StringIO()
        writer = csv.writer(content, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row.to_dict().values() for row in rows)
        write_whole(self.path / "history.csv", content.getvalue().encode())

    def write_divergence(self, divergence: Divergence) -> None:
        write_json(self.path / "diverged.json", asdict(divergence))

    def write_end(self, model: nn.Module) -> None:
        """Keep the model; from here on the run is finished and cannot be resumed."""
        save(model, self.path / "model.safetensors")
        self.state.unlink(missing_ok=True)
        (self.path / "diverged.json").unlink(missing_ok=True)

    def _text(self, name: str) -> str:
        try:
            return (self.path / name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{self.path / name}: this file of the run cannot be read: {error}.") from error


def new_folder(name: str, path: Path | None = None) -> Path:
    """Make an empty folder: ``path``, or ``runs/<date-time>-<name>``.

    Raises:
        RequestError: there is something in it already, or it cannot be made.
    """
    try:
        if path is None:
            return _stamped_folder(name)
        path.mkdir(parents=True, exist_ok=True)
        empty = not any(path.iterdir())
    except OSError as error:
        raise RequestError(f"{path or RUNS}: the run's folder cannot be made: {error.strerror}.") from error
    if not empty:
        raise RequestError(
            f"{path}: there is something in this folder. Choose another with --out, or go on with an interrupted "
            f"run with --resume {path}."
        )
    return path


def _stamped_folder(name: str) -> Path:
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    RUNS.mkdir(exist_ok=True)
    # Several runs may begin within a second, also in other processes: whoever makes the folder has it.
    for number in itertools.count(1):
        path = RUNS / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("counting does not end")
