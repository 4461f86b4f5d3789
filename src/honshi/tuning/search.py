"""A search from its folder to its end: trials by several workers, then the best of them over fresh seeds.

search.toml   the recipe around which is searched, with its space
study.db      the trials; in the database that --storage names, where there is one
trials.csv    the same for a spreadsheet
best.toml     the recipe of the best trial
base/         the original recipe, trained from several seeds
trial-…/      the best trial's recipe from the same seeds
tune.json     what came out
tune.png      the same as a picture
"""

from __future__ import annotations

import csv
import io
import math
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from shlex import quote
from typing import Any, Self

import filelock
import optuna
import torch
from optuna.exceptions import StorageInternalError
from optuna.trial import FixedTrial
from sqlalchemy.exc import SQLAlchemyError

from honshi.data import Splits
from honshi.errors import HonshiError, RecipeError, RequestError, RunError
from honshi.evaluation.comparison import compare
from honshi.evaluation.evaluate import right_answers
from honshi.evaluation.optimism import best_of
from honshi.experiment import load_splits, look_before_training
from honshi.experiment.seeds import Seeds
from honshi.files import write_json, write_whole
from honshi.messages import Message
from honshi.recipe import Recipe
from honshi.runs import Run, looks
from honshi.runs.folder import new_folder
from honshi.runtime import pick_device
from honshi.training.distributed import launched
from honshi.tuning.space import differences, parameters_of, suggest, with_space
from honshi.tuning.study import (
    Place,
    Trial,
    best_of_trials,
    database_url,
    file_url,
    first_line,
    importances,
    open_study,
    shown,
    study_name,
    trials_of,
    try_lost_again,
)
from honshi.tuning.verify import listed_trials, verify_file, verify_study
from honshi.tuning.worker import Worker

RECIPE = "search.toml"
STUDY = "study.db"
TRIALS = "trials.csv"
WRITTEN = (STUDY, TRIALS, "best.toml", "tune.json", "tune.png", ".lock")
# More would read their images from memory faster than it gives them.
MOST_WORKERS = 8
# What the end takes beside its trainings.
SECONDS_FOR_THE_REPORT = 5.0


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        trials: all so far, of all workers.
        best: the best complete one.
        goal: how many are to be finished; None where only the time ends it.
        seconds_left: None before it can be told.
    """

    trials: list[Trial]
    best: Trial | None
    goal: int | None
    seconds_left: float | None

    @property
    def finished(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.finished]


@dataclass(frozen=True)
class Search:
    """A search in its folder.

    Attributes:
        folder: for everything that it leaves behind.
        recipe: what is searched around, with its space.
        splits: the data, read once for all trials.
        place: where the study is.
    """

    folder: Path
    recipe: Recipe
    splits: Splits
    place: Place

    @classmethod
    def begin(cls, recipe: Recipe, out: Path | None = None, storage: str | None = None, heartbeat: int = 20) -> Self:
        """Begin a search, or go on with the one in ``out``.

        Args:
            recipe: with a search space, or without one for the default space.
            out: the folder; ``runs/<date-time>-<recipe>-tune`` if left out.
            storage: a database that several machines share; ``study.db`` in the folder if left out.
            heartbeat: seconds between signs of life of a worker.

        Raises:
            RequestError: the folder belongs to something else.
            RequestError, DataError: the data, the device or the storage do not allow it.
        """
        if launched():
            raise RequestError(
                "A trial is trained by one process, so start tune without torchrun. For more of them at a time there "
                "are --workers and, on several machines, --storage."
            )
        recipe = with_space(recipe)
        pick_device(recipe.training.device)
        splits = load_splits(recipe)
        look_before_training(splits)
        url = None if storage is None else database_url(storage)
        if out is not None and (out / RECIPE).is_file():
            if read_recipe(out) != recipe:
                raise RequestError(
                    "{out}: the search in this folder is another one. Go on with it without a recipe and options: "
                    "honshi tune --out {quoted}. Or choose another folder.",
                    out=out,
                    quoted=quote(str(out)),
                )
            if url is not None and (out / STUDY).exists():
                raise RequestError(
                    "{out}: the trials of this search are in {study}: leave --storage out.", out=out, study=out / STUDY
                )
            if url is None and not (out / STUDY).exists():
                raise RequestError(
                    "{out}: there is no {study} in this folder. Either the trials of this search are in a database: "
                    "give its --storage again; or the file is lost: put it back, or begin in another folder.",
                    out=out,
                    study=STUDY,
                )
            folder = out
        else:
            folder = new_folder(f"{recipe.name}-tune", out)
            write_whole(folder / RECIPE, recipe.to_toml().encode())
            if url is None:
                (folder / STUDY).touch()  # an empty file is an empty database
        place = Place(
            url=url or file_url(folder / STUDY),
            name=study_name(recipe, splits.val.sha256()),
            heartbeat=heartbeat,
        )
        return cls(folder, recipe, splits, place)

    def run(
        self,
        *,
        trials: int | None = None,
        minutes: float | None = None,
        workers: int | None = None,
        seeds: int = 3,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_seed: Callable[[Run], None] = lambda run: None,
    ) -> dict[str, Any]:
        """Search, then train the best recipe and the original one from the same fresh seeds.

        Interrupted, it keeps all finished trials; what was being tried is tried again by the next call.

        Args:
            trials: as many are to be finished in all, those of earlier calls and of other machines included.
            minutes: for everything, the trainings at the end included.
            workers: processes that train trials, one thread each where there are several; as many as there are
                threads if left out, and one on a GPU.
            seeds: at least 2.
            on_progress: called after every epoch.
            on_seed: called for each training at the end.

        Returns:
            The content of ``tune.json``.

        Raises:
            RunError: another process is at work in the folder.
            HonshiError: no trial was completed; the database cannot be reached.
        """
        started = time.monotonic()
        try:
            with self.opened() as study:
                self._prepare(study)
                try:
                    self._try(study, trials, minutes, self._workers(workers), seeds, on_progress)
                finally:
                    self._write_trials(trials_of(study))
                searched = time.monotonic()
                content = self._finish(study, seeds, on_seed)
            ended = time.monotonic()
            content["seconds"] = {
                "search": searched - started,
                "retrain": ended - searched,
                "total": ended - started,
            }
            write_json(self.folder / "tune.json", content)
            return content
        except (SQLAlchemyError, StorageInternalError) as error:
            cause = error if isinstance(error, SQLAlchemyError) else error.__cause__
            said = first_line(cause) if isinstance(cause, SQLAlchemyError) else str(error)
            raise HonshiError(
                "The study cannot be reached any more: {problem} What is finished is in it; the same command goes on.",
                problem=said,
            ) from error

    @contextmanager
    def opened(self) -> Iterator[optuna.Study]:
        """The study, for this process alone as far as it lies in the folder, after a look at what is in it.

        Raises:
            RunError: another process is at work in the folder; what is there cannot be gone on with, and is left so.
            HonshiError: the database cannot be reached.
        """
        for name in WRITTEN:
            if (self.folder / name).is_dir():
                raise RunError("{path}: this is a folder, where a search writes a file.", path=self.folder / name)
        try:
            lock = filelock.FileLock(self.folder / ".lock", timeout=0).acquire()
        except filelock.Timeout:
            raise RunError("{folder}: another honshi tune is at work in this folder.", folder=self.folder) from None
        except OSError as error:
            raise RunError(
                "{folder}: this folder cannot be used: {problem}.", folder=self.folder, problem=error.strerror
            ) from error
        with lock:
            if not self.place.shared:
                listed = listed_trials(self.folder / TRIALS)
                verify_file(self.folder / STUDY, self.place.name, self.recipe, listed)
            with open_study(self.place, self._seed(0)) as study:
                if self.place.shared:
                    verify_study(study, self.recipe, shown(self.place.url))
                yield study

    def _seed(self, worker: int) -> int | None:
        """Of the sampler: workers must not choose the same. Of other machines, nobody knows how many there are."""
        if self.place.shared:
            return None
        return (self.recipe.training.seed * 1009 + worker) % 2**32

    def _workers(self, asked: int | None) -> int:
        if asked is not None:
            return asked
        on_cpu = pick_device(self.recipe.training.device).type == "cpu"
        return min(torch.get_num_threads(), MOST_WORKERS) if on_cpu else 1

    def _prepare(self, study: optuna.Study) -> None:
        """Begin with the recipe's own values, and with what an earlier call could not finish."""
        if not study.get_trials(deepcopy=False):
            own = parameters_of(self.recipe)
            if own is not None:
                study.enqueue_trial(own)
        if not self.place.shared:
            # The folder is locked, so whoever worked on these is gone.
            try_lost_again(study)

    def _try(
        self,
        study: optuna.Study,
        trials: int | None,
        minutes: float | None,
        workers: int,
        seeds: int,
        on_progress: Callable[[Progress], None],
    ) -> None:
        """Train trials until there are enough or the time is over, less what the end will take."""
        started = time.monotonic()
        before = sum(trial.finished for trial in trials_of(study))
        over = math.inf if minutes is None else started + 60 * minutes - SECONDS_FOR_THE_REPORT
        end = over

        def noticed() -> None:
            nonlocal end
            now = trials_of(study)
            best, base = best_of_trials(now), now[0]
            if best is not None:
                end = over - seeds * (best.seconds + base.seconds)
            finished = sum(trial.finished for trial in now)
            left = end - time.monotonic()
            if trials is not None and finished > before:
                rate = (finished - before) / (time.monotonic() - started)
                left = min(left, max(trials - finished, 0) / rate)
            on_progress(Progress(now, best, trials, left if math.isfinite(left) else None))

        threads = 1 if workers > 1 else torch.get_num_threads()
        with _interruption() as interrupted, self._helpers(workers - 1, trials), _threads(threads):
            Worker(
                study=study,
                recipe=self.recipe,
                splits=self.splits,
                run=self.folder.name,
                trials=trials,
                stopped=lambda: interrupted() or time.monotonic() >= end,
                noticed=noticed,
            ).work()

    @contextmanager
    def _helpers(self, count: int, trials: int | None) -> Iterator[None]:
        """So many more workers in processes of their own; they stop at the end of the block."""
        # Not forked: the threads of a library that has computed already do not come along.
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        helpers = [
            context.Process(target=_help, args=(self.folder, self.recipe, self.place, trials, self._seed(number), stop))
            for number in range(1, count + 1)
        ]
        # Ctrl-C reaches every process of a terminal. Helpers leave it to this one to tell them.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if helpers else None
        try:
            for helper in helpers:
                helper.start()
        finally:
            if handler is not None:
                signal.signal(signal.SIGINT, handler)
        try:
            yield
        finally:
            stop.set()
            for helper in helpers:
                helper.join()

    def _finish(self, study: optuna.Study, seeds: int, on_seed: Callable[[Run], None]) -> dict[str, Any]:
        """The best recipe and the original one, trained and compared; what came out, as values and as files."""
        trials = trials_of(study)
        best = best_of_trials(trials)
        if best is None or best.accuracy is None:
            failed = next((trial.problem for trial in reversed(trials) if trial.problem), None)
            raise HonshiError(
                "{folder}: no trial was completed, so there is no best one.{problem} What there is has been kept: "
                "honshi tune --out {quoted} goes on.",
                folder=self.folder,
                problem=Message(" The last one failed: {problem}", problem=failed) if failed else Message(""),
                quoted=quote(str(self.folder)),
            )
        base = self.recipe.changed({"tune": None})
        tuned = suggest(FixedTrial(best.parameters), self.recipe)
        tuned = tuned.changed({"name": f"{base.name[:74]}-tuned"})
        write_whole(self.folder / "best.toml", tuned.to_toml().encode())
        scored = {
            name: self._train_seeds(recipe, seeds, name, on_seed)
            for name, recipe in (("base", base), (f"trial-{best.number}", tuned))
        }
        before, after = scored.values()
        n, seen = self.splits.manifest.val_size, sum(trial.epochs for trial in trials)
        importance = importances(trials, study)
        content = {
            "run": str(self.folder),
            "recipe": base.name,
            "study": self.place.name,
            "trials": {
                state: sum(trial.state == state for trial in trials)
                for state in ("complete", "pruned", "failed", "running", "waiting")
            },
            "best": {"trial": best.number, "val_accuracy": best.accuracy, "changes": differences(tuned, base)},
            "importance": importance,
            "looks": seen,
            "optimism": best_of(max(seen, 1), n, best.accuracy),
            "n": n,
            "base": before,
            "tuned": after,
            "difference": self._compare(before, after),
        }
        from honshi.tuning.picture import draw  # matplotlib is needed at the end alone

        draw(trials, importance, self.recipe, self.folder / "tune.png")
        return content

    def _train_seeds(self, recipe: Recipe, seeds: int, name: str, on_seed: Callable[[Run], None]) -> dict[str, Any]:
        """Train from seeds that no trial had: its own may have been a lucky one."""
        folder = self.folder / name
        # What an interrupted call left, or one that asked for another number of seeds.
        shutil.rmtree(folder, ignore_errors=True)
        fresh = recipe.changed({"training.seed": (recipe.training.seed + 1) % 2**62})
        content = Seeds.begin(fresh, seeds, folder).train(lambda run, summary: on_seed(run))
        return {
            "runs": [summary["run"] for summary in content["seeds"]],
            "val_loss": content["val_loss"],
            "val_accuracy": content["val_accuracy"],
        }

    def _compare(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        """The first seed's two models, image by image."""
        right = []
        for path in (before["runs"][0], after["runs"][0]):
            run = Run(Path(path))
            right.append(right_answers(run.model(), self.splits.val))
            looks.note(self.splits.manifest.val_sha256, "compare", run.name)
        return compare(*right).to_dict()

    def _write_trials(self, trials: list[Trial]) -> None:
        names = sorted({name for trial in trials for name in trial.parameters})
        content = io.StringIO()
        writer = csv.writer(content, lineterminator="\n")
        writer.writerow(["trial", "state", "val_accuracy", "epochs", "seconds", *names, "worker", "problem"])
        for trial in trials:
            values = [trial.parameters.get(name) for name in names]
            scored = [trial.number, trial.state, trial.accuracy, trial.epochs, trial.seconds]
            writer.writerow([*scored, *values, trial.worker, trial.problem])
        write_whole(self.folder / TRIALS, content.getvalue().encode())


def read_recipe(folder: Path) -> Recipe:
    """The recipe of the search in a folder.

    Raises:
        RunError: it cannot be read.
    """
    try:
        return Recipe.read(str(folder / RECIPE))
    except RecipeError as error:
        raise RunError(str(error)) from error


@contextmanager
def _interruption() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed in the block, for whoever can stop there; at its end it interrupts after all.

    In the middle of a write it would leave the study locked, for this process too. A second one strikes at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals go to the main thread alone
        return
    pressed = threading.Event()

    def note(*_: object) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed.is_set():
        raise KeyboardInterrupt


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _help(folder: Path, recipe: Recipe, place: Place, trials: int | None, seed: int | None, stop: Event) -> None:
    """A further worker's process; it does not outlive the one that started it."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    torch.set_num_threads(1)
    try:
        with open_study(place, seed) as study:
            Worker(
                study=study,
                recipe=recipe,
                splits=load_splits(recipe),
                run=folder.name,
                trials=trials,
                stopped=stop.is_set,
            ).work()
    except Exception as error:
        # The others go on, and take up what it leaves.
        print(f"A worker stopped: {error}", file=sys.stderr)
        sys.exit(1)
