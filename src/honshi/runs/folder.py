"""The folder of one run.

recipe.toml        everything needed to repeat it
split.json         which images were for training and which for validation
environment.json   where and when it ran, with which versions
events.jsonl       what happened, as it happened: who trains it, how far it is, how it ended
history.csv        a row an epoch
state.pt           what it needs to go on; only while it may still be resumed
model.safetensors  the weights
model.json         what the weights mean; its presence says that the run is finished
diverged.json      where and why it stopped; only where a loss became infinite or NaN
curves.png         the learning curves
improved.toml      the recipe with the remedies that `honshi improve` kept; only where there are any
improvement.json   every remedy that it tried
diagnosis.png      the curves with the place that the verdict of `honshi diagnose` is about
folds.json         the score by folds; only where there is no validation part
folds.safetensors  which image is in which fold, and what the models that did not see it took it for
leaks.json         validation images that are training images too; only where there are any
leaks.png          the same as pictures
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Self

from honshi.data.manifest import Changes, Manifest
from honshi.errors import RecipeError, RequestError, RunError, WriteError
from honshi.evaluation.diagnosis import Divergence
from honshi.evaluation.history import COLUMNS, Row, best_row
from honshi.files import explain, not_written, read_bounded, write_json, write_whole
from honshi.messages import Message
from honshi.recipe import Recipe
from honshi.runs import events
from honshi.runs.sidecar import check_weights, read_sidecar
from honshi.runs.status import Status, status_of

if TYPE_CHECKING:
    from torch import nn

    from honshi.evaluation.evaluate import Evaluation

RUNS = Path("runs")
# The largest file of a run that is read as text lists the places of millions of validation images.
MOST_BYTES = 1 << 28
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
            RequestError: as `new_folder`; or another process has just made a run of it.
            WriteError: nothing can be written there.
        """
        run = cls(new_folder(recipe.name, path))
        try:
            # Of several processes that found the folder empty, whoever makes this file has it.
            (run.path / events.FILE).touch(exist_ok=False)
        except FileExistsError as error:
            raise _taken(run.path) from error
        except OSError as error:
            raise WriteError("{problem}", error, problem=explain(error)) from error
        try:
            run._write("recipe.toml", recipe.to_toml().encode())
        except WriteError:
            # So that the same folder is taken when there is room.
            (run.path / events.FILE).unlink()
            raise
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

    @property
    def has_begun(self) -> bool:
        """Whether it is frozen what the run begins with."""
        return (self.path / "split.json").is_file()

    @property
    def status(self) -> Status:
        """Whether it is trained right now, or how that ended."""
        return status_of(self.path)

    @cached_property
    def began(self) -> datetime:
        """When its training was begun, as far as anything tells."""
        first = events.first(self.path)
        if first is not None:
            return first.time
        with suppress(RunError, ValueError, TypeError, KeyError):
            return datetime.fromisoformat(self.environment["started"]).astimezone(UTC)
        with suppress(ValueError):
            return datetime.strptime(self.path.resolve().name[:15], "%Y%m%d-%H%M%S").astimezone(UTC)
        with suppress(OSError):
            return datetime.fromtimestamp((self.path / "recipe.toml").stat().st_mtime, UTC)
        return datetime.fromtimestamp(0, UTC)

    @cached_property
    def recipe(self) -> Recipe:
        try:
            return Recipe.from_toml(self._text("recipe.toml"), str(self.path / "recipe.toml"))
        except RecipeError as error:
            raise RunError("{problem}", problem=error.message) from error

    @cached_property
    def manifest(self) -> Manifest:
        with self._damage("split.json", "this is not a manifest of a split"):
            return Manifest.from_json(self._text("split.json"))

    @cached_property
    def environment(self) -> dict[str, Any]:
        with self._damage("environment.json", "this is not JSON"):
            return dict(json.loads(self._text("environment.json")))

    @property
    def history(self) -> list[Row]:
        """The rows so far; none before the first epoch is over."""
        if not (self.path / "history.csv").exists():
            return []
        with self._damage("history.csv", "this is not a history of a training"):
            reader = csv.reader(io.StringIO(self._text("history.csv")))
            if tuple(next(reader, ())) != COLUMNS:
                raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
            rows = [Row(int(epoch), *map(float, values)) for epoch, *values in reader]
            for number, row in enumerate(rows, start=1):
                if row.epoch != number:
                    raise ValueError(f"epoch {row.epoch} is in the place of epoch {number}")
                if not (0 <= row.train_accuracy <= 1 and 0 <= row.val_accuracy <= 1 and math.isfinite(row.val_loss)):
                    raise ValueError(f"loss and accuracy of epoch {number} are not possible")
            return rows

    @property
    def kept(self) -> Row:
        """The row of the epoch whose weights the run has kept."""
        rows = self.history
        if not rows:
            raise RunError("{run}: no epoch of this run is finished.", run=self.path)
        if (folds := self.folds) is not None:
            with self._damage("folds.json", "this is not a score by folds"):
                row: Row = rows[folds["epoch"] - 1]
                return replace(row, val_loss=float(folds["loss"]), val_accuracy=float(folds["accuracy"]))
        return best_row(rows) if self.recipe.training.restore_best else rows[-1]

    @property
    def folds(self) -> dict[str, Any] | None:
        """The score by folds of a finished training; None of one that has a validation part."""
        if not (self.path / "folds.json").exists():
            return None
        with self._damage("folds.json", "this is not a score by folds"):
            return dict(json.loads(self._text("folds.json")))

    @property
    def available(self) -> int:
        """Training images that there are, before the recipe took a subset; then, as far as the split tells."""
        manifest = self.manifest
        if self.recipe.data.subset is None or manifest.by_folds:
            return manifest.train_size
        # The fraction was rounded to whole images: this is the least that it may have been.
        least = math.ceil((manifest.val_size - 0.5) / manifest.val_fraction) - manifest.val_size
        return max(least, manifest.train_size)

    @property
    def divergence(self) -> Divergence | None:
        """Where the training diverged, if it did."""
        if not (self.path / "diverged.json").exists():
            return None
        with self._damage("diverged.json", "this is not the record of a divergence"):
            return Divergence(**json.loads(self._text("diverged.json")))

    def model(self) -> nn.Module:
        """The trained model, in eval mode."""
        if not self.finished:
            status = self.status
            if status.state == "running":
                raise RunError(
                    "{run}: this run is not finished: it is being trained, by {trainer}.",
                    run=self.path,
                    trainer=status.trainer,
                )
            raise RunError(
                "{run}: this run is not finished. Go on with it: honshi train --resume {quoted}",
                run=self.path,
                quoted=quote(str(self.path)),
            )
        from honshi.runs.weights import load_model

        return load_model(self.path / "model.safetensors")

    @property
    def changes(self) -> Changes | None:
        """What had changed in its data when they were last looked at; None where nothing had, or nobody looked."""
        if not self.has_begun:
            return None
        since = self.manifest.since
        with self._damage("split.json", "this is not a manifest of a split"):
            changes = None if since is None else Changes(**since)
        return changes or None

    @property
    def changes_said(self) -> Message | None:
        """The same in a sentence."""
        changes = self.changes
        return None if changes is None else changes.sentence

    def note_changes(self, changes: Changes) -> None:
        """Keep in the manifest what has changed in the data since the run was begun.

        Where it cannot be written it is found again the next time.
        """
        manifest = replace(self.manifest, since=asdict(changes) if changes else None)
        if manifest.since != self.manifest.since:
            not_written(lambda: self._write_json("split.json", manifest.to_dict()))
        self.__dict__["manifest"] = manifest

    def check(self) -> None:
        """See that no file in it is damaged, without loading torch; its weights are there and of the right size.

        Raises:
            RunError, ModelError: something is.
        """
        _ = self.recipe, self.history
        if self.has_begun or self.finished:
            _ = self.manifest
        if self.finished:
            weights = self.path / "model.safetensors"
            _ = self.kept
            check_weights(read_sidecar(weights), weights)

    def write_start(self, manifest: Manifest, environment: dict[str, Any]) -> None:
        """Freeze what the run begins with."""
        self._write_json("environment.json", environment)
        self._write_json("split.json", manifest.to_dict())

    def go_on_from(self, rows: list[Row]) -> None:
        """Bring the record of a run to what its state holds.

        The state is written first: where a training was killed in between, the history lacks the last epoch.
        """
        if rows:
            self.write_history(rows)
        else:
            (self.path / "history.csv").unlink(missing_ok=True)
        (self.path / "diverged.json").unlink(missing_ok=True)

    def write_history(self, rows: list[Row]) -> None:
        content = io.StringIO()
        writer = csv.writer(content, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row.to_dict().values() for row in rows)
        self._write("history.csv", content.getvalue().encode())

    def write_folds(self, found: Evaluation, dealt: dict[str, Any], epoch: int) -> None:
        """Keep the score by folds, and of which epoch the model has its weights."""
        self._write_json("folds.json", {**dealt, "loss": found.loss, "interval": found.interval, "epoch": epoch})

    def write_divergence(self, divergence: Divergence) -> None:
        self._write_json("diverged.json", asdict(divergence))

    def write_end(self, model: nn.Module) -> None:
        """Keep the model; from here on the run is finished and cannot be resumed."""
        from honshi.runs.weights import save

        save(model, self.path / "model.safetensors")
        self.state.unlink(missing_ok=True)
        (self.path / "diverged.json").unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        # A folder that was deleted while it was trained in is not made again.
        write_whole(self.path / name, content, parents=False)

    def _write_json(self, name: str, value: Any) -> None:
        write_json(self.path / name, value, parents=False)

    def _text(self, name: str) -> str:
        try:
            return read_bounded(self.path / name, MOST_BYTES).decode("utf-8")
        except OSError as error:
            problem = error.strerror
        except UnicodeDecodeError as error:
            problem = str(error)
        raise RunError(
            "{path}: this file of the run cannot be read: {problem}.", path=self.path / name, problem=problem
        )

    @contextmanager
    def _damage(self, name: str, said: str) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, csv.Error, RecursionError, OverflowError) as error:
            raise RunError(
                "{path}: {said}: {problem}.",
                path=self.path / name,
                said=Message(said),
                problem=str(error) or type(error).__name__,
            ) from error


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
        raise RequestError("The run's folder cannot be made. {problem}", problem=explain(error)) from error
    if not empty:
        raise _taken(path)
    return path


def _taken(path: Path) -> RequestError:
    status = status_of(path)
    if status.state == "running":
        return RequestError(
            "{path}: a run is being trained in this folder already, by {trainer}. Choose another with --out.",
            path=path,
            trainer=status.trainer,
        )
    return RequestError(
        "{path}: there is something in this folder. Choose another with --out, or go on with an interrupted "
        "run with --resume {quoted}.",
        path=path,
        quoted=quote(str(path)),
    )


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
