"""A training from what was asked for to a finished run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, TypeAlias

from honshi.actions.plan import Plan
from honshi.data.store import Reading
from honshi.errors import NonFiniteLossError, RequestError, RunError
from honshi.evaluation.diagnosis import split_verdict
from honshi.evaluation.history import Row
from honshi.evaluation.intervals import wilson
from honshi.experiment import Experiment, as_begun, look_before_training, splits_of
from honshi.experiment.folds import FoldEnded
from honshi.experiment.seeds import Seeds
from honshi.features import Seen
from honshi.messages import Message
from honshi.recipe import Recipe
from honshi.runs import Run, find
from honshi.runs.folder import RUNS
from honshi.training import FitResult
from honshi.training.distributed import World, joined, launched, leave


@dataclass(frozen=True)
class Began:
    """The run's folder is there and its first step is next.

    Attributes:
        run: where it goes to.
        plan: what is about to happen.
        epochs, steps: how many epochs there will be in all, and steps in each.
        done: epochs that are finished already; more than 0 where an interrupted training goes on.
    """

    run: Run
    plan: Plan
    epochs: int
    steps: int
    done: int


@dataclass(frozen=True)
class Stepped:
    """So many mini-batches of the epoch are done."""

    step: int


@dataclass(frozen=True)
class EpochEnded:
    """An epoch is over and scored."""

    row: Row


@dataclass(frozen=True)
class SeedsBegan:
    """The folder for a run from each of several seeds is there.

    Attributes:
        folder: where they go to.
        recipe: what is trained.
        count: how many seeds there are.
    """

    folder: Path
    recipe: Recipe
    count: int


@dataclass(frozen=True)
class SeedEnded:
    """One of several seeds is trained, perhaps by an earlier call.

    Attributes:
        seed: which.
        kept: the epoch whose weights its run keeps.
        seconds: of training and validation.
    """

    seed: int
    kept: Row
    seconds: float


Event: TypeAlias = Reading | Message | Began | Seen | Stepped | FoldEnded | EpochEnded
Tell: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True)
class Training:
    """A training that ended.

    Attributes:
        run: where everything is.
        experiment: the parts that were trained.
        result: the history and what was kept.
        seconds: from the request to the end.
    """

    run: Run
    experiment: Experiment
    result: FitResult
    seconds: float

    @property
    def sentences(self) -> list[Message]:
        """The best epoch, and what the two curves say."""
        if (folds := self.run.folds) is not None:
            return by_folds_said(folds)
        result = self.result
        best, last = result.best, result.history[-1]
        kept = best if result.restored else last
        stopped = Message(" Stopped early after epoch {epoch}.", epoch=last.epoch) if result.stopped_early else ""
        return [
            Message(
                "Best epoch {best} of {last}: validation loss {loss:.4f}, accuracy {accuracy:.2%}.{stopped} "
                "The run keeps the weights of epoch {kept}.",
                best=best.epoch,
                last=last.epoch,
                loss=best.val_loss,
                accuracy=best.val_accuracy,
                stopped=stopped,
                kept=kept.epoch,
            ),
            split_verdict(kept, len(self.experiment.splits.val)),
        ]

    @property
    def next(self) -> list[tuple[str, Message]]:
        """Commands that go on from here, and what for."""
        name = quote(self.run.name if self.run.path.parent == RUNS else str(self.run.path))
        return [
            (f"honshi diagnose {name}", Message("what the curves say, and what to try")),
            (f"honshi validate {name}", Message("the mock exam: the score of each class")),
            (f"honshi predict {name} IMAGE", Message("what is in an image?")),
            ("honshi runs", Message("all runs side by side")),
            (f"honshi test {name}", Message("the real exam: once, when you have decided")),
        ]

    def to_dict(self) -> dict[str, Any]:
        return self.experiment.summary(self.run, self.result, self.seconds)


def by_folds_said(folds: Mapping[str, Any]) -> list[Message]:
    """What the mock exam by folds says.

    Args:
        folds: as ``folds.json`` holds it.
    """
    lower, upper = wilson(folds["accuracy"] * folds["n"], folds["n"])
    return [
        Message(
            "Validation by {folds} folds, {repeats} times: accuracy {accuracy:.2%} (95 % interval {lower:.2%} to "
            "{upper:.2%}, n = {n:,}), loss {loss:.4f}. Each image was scored by models that had not seen it.",
            folds=folds["folds"],
            repeats=folds["repeats"],
            accuracy=folds["accuracy"],
            lower=lower,
            upper=upper,
            n=folds["n"],
            loss=folds["loss"],
        ),
        Message("The run keeps a model that has learnt from all {n:,}, to epoch {epoch}.", **folds),
    ]


def train(
    recipe: Recipe, *, out: Path | None = None, resume: str | None = None, tell: Tell, on_step: bool = True
) -> Training | None:
    """Train a recipe into a new run, or go on with an interrupted one.

    Under torchrun all processes call this, and the first alone tells and writes.

    Args:
        recipe: what to train, unless a run goes on.
        out: the run's folder; ``runs/<date-time>-<recipe>`` if left out.
        resume: the name of the run that goes on.
        tell: called as things happen.
        on_step: whether steps are told too.

    Returns:
        The training; None in every process but the first.

    Raises:
        RequestError, DataError: what was asked for does not go together.
        RunError: the run is finished, or belongs to other data.
        NonFiniteLossError: training diverged.
    """
    started = time.perf_counter()
    with joined() as world:
        with world.agreed():
            experiment, warnings, opened = _open(recipe, out, resume, world, tell if world.first else None)
        run = world.from_first(opened)
        assert run is not None  # the first process has opened one
        epochs, steps = experiment.recipe.training.epochs, experiment.steps_per_epoch
        try:
            result = experiment.train(
                run,
                on_begin=lambda done: tell(Began(run, Plan.of(experiment, warnings), epochs, steps, done)),
                on_seen=tell,
                on_fold=tell,
                on_epoch=lambda row: tell(EpochEnded(row)),
                on_step=(lambda step: tell(Stepped(step))) if on_step and world.first else None,
                say=tell,
            )
        except NonFiniteLossError as error:
            if not world.first:  # the first says the same
                leave(error.exit_code)
            raise
    return Training(run, experiment, result, time.perf_counter() - started) if world.first else None


def _open(
    recipe: Recipe, out: Path | None, resume: str | None, world: World, tell: Tell | None
) -> tuple[Experiment, list[Message], Run | None]:
    """What is trained, what its data give to think about, and the folder that it goes to; of several processes the
    first alone opens that."""
    interrupted = None if resume is None else find(resume)
    if interrupted is not None and interrupted.finished:
        raise RunError(
            "{run}: this run is finished. To train longer, begin one with more --epochs.", run=interrupted.path
        )
    splits = None
    if interrupted is not None and (interrupted.path / "split.json").exists():
        # The same images in the same parts, in whatever order they lie now.
        splits = splits_of(interrupted)
    if interrupted is not None:
        recipe = interrupted.recipe
    elif world.first and launched() and out is not None:
        recipe = as_begun(recipe, Run(out))
    experiment = Experiment.build(recipe, splits, world=world, tell=tell)
    warnings = look_before_training(experiment.splits)
    if not world.first:
        return experiment, warnings, None
    if interrupted is not None:
        return experiment, warnings, interrupted
    if launched() and out is not None and (out / "recipe.toml").exists():
        # Where a process dies the launcher starts the same command again, which then goes on with its run.
        run = Run(out)
        if run.recipe == experiment.recipe and not run.finished:
            return experiment, warnings, run
    return experiment, warnings, Run.create(experiment.recipe, out)


@dataclass(frozen=True)
class SeedsTraining:
    """The same recipe from several seeds.

    Attributes:
        content: of ``seeds.json``.
    """

    content: dict[str, Any]

    @property
    def sentences(self) -> list[Message]:
        """What to expect of the next seed, and where everything is."""
        loss, accuracy = self.content["val_loss"], self.content["val_accuracy"]
        return [
            Message(
                "Validation accuracy {mean:.2%} ± {deviation:.2%} (from {lowest:.2%} to {highest:.2%}), "
                "loss {loss:.4f} ± {loss_deviation:.4f}",
                **accuracy,
                loss=loss["mean"],
                loss_deviation=loss["deviation"],
            ),
            Message(
                "Folder: {folder}  (curves.png with the band, seeds.json, a run for each seed)",
                folder=self.content["run"],
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        return self.content


def train_seeds(
    recipe: Recipe, count: int, out: Path | None = None, *, tell: Callable[[SeedsBegan | SeedEnded], None]
) -> SeedsTraining:
    """Train a recipe from ``count`` seeds, one after the other; see `honshi.seeds`.

    Raises:
        RequestError: torchrun started several processes.
    """
    with joined() as world, world.agreed():
        if world.size > 1:
            raise RequestError("--seeds trains one seed after the other in one process: start it without torchrun.")
    return _train_each(Seeds.begin(recipe, count, out), tell)


def resume_seeds(name: str, *, tell: Callable[[SeedsBegan | SeedEnded], None]) -> SeedsTraining | None:
    """Go on with several seeds that were interrupted; None where the name is that of a run for itself.

    Raises:
        RunNotFoundError: nothing answers to the name.
        RunError: all seeds are trained, or it cannot be told what was to be trained.
    """
    # Seeds are trained by one process; what several go on with is a run.
    seeds = None if launched() else Seeds.interrupted(name)
    return None if seeds is None else _train_each(seeds, tell)


def _train_each(seeds: Seeds, tell: Callable[[SeedsBegan | SeedEnded], None]) -> SeedsTraining:
    tell(SeedsBegan(seeds.folder, seeds.recipe, seeds.count))

    def on_seed(run: Run, summary: dict[str, Any]) -> None:
        tell(SeedEnded(summary["seed"], run.kept, summary["seconds"]["total"]))

    return SeedsTraining(seeds.train(on_seed))
