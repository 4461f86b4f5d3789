"""The lecture's cycle of improvement: train, validate, adjust, repeat; one change at a time.

Each remedy is trained from the same seeds as the recipe that it would change, and is kept only where the
validation set shows a gain that chance does not explain. The test set has no part in it.

Shapes: n validation images, s seeds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from honshi.data import Examples, Splits
from honshi.data.sources import lasting_name
from honshi.errors import HonshiError, NonFiniteLossError, RequestError
from honshi.evaluation.comparison import RecipeComparison, compare_recipes
from honshi.evaluation.diagnosis import Diagnosis, Divergence, Verdict
from honshi.evaluation.evaluate import right_answers
from honshi.evaluation.history import Row
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.evaluation.reference import nearest_neighbour
from honshi.evaluation.remedies import Remedy, all_remedies
from honshi.experiment import Experiment, answered_images, diagnose_training, first_fold, splits_of
from honshi.files import write_json, write_whole
from honshi.messages import Message
from honshi.recipe import Recipe
from honshi.runs import Run, looks
from honshi.runs.looks import Wear

SEEDS = 5
# The chance to keep even one remedy that does nothing is at most CHANCE: each of at most TRIALS has its
# share of it (Bonferroni), whether it is used up or not.
CHANCE = 0.05
TRIALS = 12
THRESHOLD = CHANCE / TRIALS
# Epochs after which a trial's pace is known.
PACE = 3

Ended = Literal["done", "trials", "no time", "interrupted"]
Outcome = Literal["kept", "within noise", "not better", "no time", "not possible"]


@dataclass(frozen=True)
class Score:
    """What a recipe reaches, as means over seeds.

    Attributes:
        accuracy: on the validation images.
        gap: accuracy on training images, in eval mode, minus that; of the seeds that did not diverge, and
            None where all did.
        diverged: how many seeds did; they count as right on no image.
        verdict: on the curves of most seeds.
    """

    accuracy: float
    gap: float | None
    diverged: int
    verdict: Verdict

    @property
    def gap_shown(self) -> Message:
        """The gap in points."""
        return Message("diverged") if self.gap is None else Message("{points:+.2f}", points=self.gap * 100)

    @property
    def sentence(self) -> Message:
        return Message(
            "validation accuracy {accuracy:.2%}, gap {gap}, {verdict}",
            accuracy=self.accuracy,
            gap=self.gap_shown,
            verdict=self.verdict,
        )


@dataclass(frozen=True)
class Trial:
    """One remedy tried.

    Attributes:
        remedy: its name.
        changes: of the recipe.
        outcome: "not better" is behind after its first seeds, and was not trained from the others.
        seeds: trained.
        before, after: the recipe without it and with it, from the same seeds; None where no seed was done.
        comparison: of the two; None where not all seeds were trained.
        seconds: spent on it.
        problem: why it was not possible.
    """

    remedy: Message
    changes: dict[str, Any]
    outcome: Outcome
    seeds: int
    before: Score
    after: Score | None
    comparison: RecipeComparison | None
    seconds: float
    problem: str | None = None

    @property
    def said(self) -> Message:
        """Whether it was kept, and why not."""
        match self.outcome:
            case "kept":
                return Message("yes")
            case "within noise":
                return Message("no: within noise")
            case "not better" if self.seeds == 1:
                return Message("no: not better after 1 seed")
            case "not better":
                return Message("no: not better after {seeds} seeds", seeds=self.seeds)
            case "no time":
                return Message("no: it would not be done in time")
            case "not possible":
                return Message("no: {problem}", problem=self.problem)


@dataclass(frozen=True)
class Improvement:
    """What the cycle found.

    Attributes:
        run: the folder of the run that it began with.
        recipe: with all that was kept.
        seeds: of each training.
        budget, seconds: given and used.
        baseline, improved: the recipe at the beginning and at the end.
        trials: in their order.
        looks: at the validation set during the cycle.
        ended: "done" where nothing was left to try; "trials" where as many were tried as the threshold is for.
        val_sha256, val_size: of the validation set.
    """

    run: str
    recipe: Recipe
    seeds: int
    budget: float
    seconds: float
    baseline: Score
    improved: Score
    trials: list[Trial]
    looks: int
    ended: Ended
    val_sha256: str
    val_size: int

    @property
    def kept(self) -> list[Message]:
        return [trial.remedy for trial in self.trials if trial.outcome == "kept"]

    def to_dict(self) -> dict[str, Any]:
        """The content of ``improvement.json``."""
        content = {**asdict(self), "recipe": self.recipe.model_dump(exclude_none=True)}
        content["trials"] = [asdict(trial) | {"remedy": trial.remedy.english} for trial in self.trials]
        for known in ("val_sha256", "val_size"):  # the run's manifest holds them
            del content[known]
        return content | {"kept": list(map(str, self.kept)), "threshold": THRESHOLD}

    @property
    def outcome(self) -> Message:
        """What came of it."""
        before, after = self.baseline, self.improved
        if not self.kept:
            return Message("Nothing was kept: the recipe stays as it is.")
        return Message(
            "Validation accuracy {before:.2%} → {after:.2%} ({points:+.2f} points), gap {gap_before} → {gap_after}, "
            "with {kept}.",
            before=before.accuracy,
            after=after.accuracy,
            points=(after.accuracy - before.accuracy) * 100,
            gap_before=before.gap_shown,
            gap_after=after.gap_shown,
            kept=", ".join(map(str, self.kept)),
        )

    @property
    def sentences(self) -> list[Message]:
        """Why it ended, and what the outcome is worth."""
        ended = {
            "done": Message("There is nothing more to try."),
            "trials": Message("{most} remedies were tried, as many as the threshold is made for.", most=TRIALS),
            "no time": Message("Time ran out before everything was tried."),
            "interrupted": Message("Stopped before everything was tried."),
        }[self.ended]
        return [
            Message(
                "{ended} {seconds:.0f} seconds, means over {seeds} seeds, n = {n:,}. A remedy is kept below "
                "p = {threshold:.2g}: {chance:.0%}, shared by up to {most} remedies.",
                ended=ended,
                seconds=self.seconds,
                seeds=self.seeds,
                n=self.val_size,
                threshold=THRESHOLD,
                chance=CHANCE,
                most=TRIALS,
            ),
            Message(
                "The cycle looked at the validation set {looks:,} times. {wear}",
                looks=self.looks,
                wear=self.wear.sentence,
            ),
        ]

    @property
    def wear(self) -> Wear:
        return looks.describe(self.val_sha256, self.val_size, self.improved.accuracy)


class _OutOfTimeError(Exception):
    """The trial would not be done within the budget."""


@dataclass(frozen=True)
class _Trained:
    """One seed of a recipe."""

    right: Tensor  # bool (n,)
    gap: float | None  # None where it diverged
    diagnosis: Diagnosis
    seconds: float


def improve(
    run: Run,
    budget: float,
    *,
    data: str | None = None,
    seeds: int = SEEDS,
    on_baseline: Callable[[Score], None] | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> Improvement:
    """Try the remedies for what a run suffers from, and keep those that help by more than chance.

    The run's folder gets ``improved.toml``, the recipe with what was kept, and ``improvement.json``, after
    each trial. Ctrl-C ends the cycle with what was found up to then.

    Args:
        run: finished, interrupted or diverged; its recipe and its data are what matters.
        data: where its data are now, as ``--data`` takes it; where they were, if left out.
        budget: seconds. A trial that would not be done by then is not begun, or not continued.
        seeds: of each training, at least 3; the run's own is the first.
        on_baseline, on_trial: called with what has just been found.

    Raises:
        RequestError: there are too few seeds, or the budget is too short for the run's own recipe.
        RunError: the data have changed since the run.
    """
    if seeds < 3:
        raise RequestError("From {seeds} seeds nobody can tell a gain from luck: give at least 3.", seeds=seeds)
    cycle = _Cycle.begin(run, data, budget, seeds)
    # Its recipes are trained again where the data are now.
    current = run.recipe if data is None else run.recipe.changed({"data.source": lasting_name(data)})
    trained = _baseline(cycle, current)
    baseline = score = _score(trained)
    if on_baseline is not None:
        on_baseline(baseline)
    trials: list[Trial] = []

    def so_far(ended: Ended) -> Improvement:
        found = Improvement(
            run=str(run.path),
            recipe=current,
            seeds=seeds,
            budget=budget,
            seconds=cycle.elapsed,
            baseline=baseline,
            improved=score,
            trials=trials,
            looks=cycle.looked,
            ended=ended,
            val_sha256=cycle.splits.manifest.val_sha256,
            val_size=len(cycle.splits.val),
        )
        improved = run.path / "improved.toml"
        if found.kept:
            name = f"{current.name.removesuffix('-improved')[:70]}-improved"
            write_whole(improved, current.changed({"name": name}).to_toml().encode())
        else:
            improved.unlink(missing_ok=True)
        write_json(run.path / "improvement.json", found.to_dict())
        return found

    refused: set[Message] = set()
    out_of_time = False
    try:
        while True:
            if sum(trial.seeds > 0 for trial in trials) == TRIALS:
                return so_far("trials")
            remedy = _next(cycle, current, trained, refused)
            # Hardly any remedy makes a training shorter than it is.
            if remedy is None or cycle.elapsed + sum(one.seconds for one in trained) >= budget:
                out_of_time = remedy is not None
                break
            trial, tried = _try(cycle, remedy, current, trained)
            trials.append(trial)
            if trial.outcome == "kept" and trial.after is not None:
                current, trained, score = current.changed(remedy.changes), tried, trial.after
            else:
                refused.add(remedy.name)
            so_far("interrupted")
            if on_trial is not None:
                on_trial(trial)
    except KeyboardInterrupt:
        return so_far("interrupted")
    out_of_time |= any(trial.outcome == "no time" for trial in trials)
    return so_far("no time" if out_of_time else "done")


@dataclass
class _Cycle:
    """What all trials share."""

    run: Run
    splits: Splits[Examples]
    neighbour: float
    available: int
    seeds: int
    started: float
    budget: float
    looked: int = 0

    @classmethod
    def begin(cls, run: Run, data: str | None, budget: float, seeds: int) -> _Cycle:
        started = time.monotonic()
        splits = splits_of(run, data)
        if run.manifest.by_folds:
            # Many models are compared, each trained from several seeds: one fold decides.
            images, places = answered_images(run, splits)
            splits = first_fold(replace(splits, train=images), OutOfFold.read(run.path), places)
        return cls(run, splits, nearest_neighbour(splits.train), run.available, seeds, started, budget)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def look(self, kind: Literal["epoch", "trial"]) -> None:
        looks.note(self.splits.manifest.val_sha256, kind, f"{self.run.name}/improve")
        self.looked += 1

    def train(self, recipe: Recipe, k: int) -> _Trained:
        """Train the k-th seed, from 0, unless it and those after it would take longer than there is time.

        Raises:
            _OutOfTimeError: they would.
        """
        experiment = Experiment.build(recipe.changed({"training.seed": recipe.training.seed + k}), self.splits)
        started = time.monotonic()
        rows: list[Row] = []
        divergence = None

        def on_epoch(row: Row) -> None:
            rows.append(row)
            self.look("epoch")
            # An epoch takes as long as the quickest one so far: the first ones pay for what is made once. With
            # patience nobody knows how many there will be.
            left = 0.0
            if row.epoch >= PACE and recipe.training.patience is None:
                epochs = recipe.training.epochs * (self.seeds - k) - row.epoch
                left = epochs * min(row.seconds for row in rows)
            if self.elapsed + left > self.budget:
                raise _OutOfTimeError

        try:
            experiment.fit(on_epoch=on_epoch)
        except NonFiniteLossError as error:
            divergence = Divergence(error.epoch, error.step, error.message.english)
        diagnosis = diagnose_training(
            experiment.recipe,
            self.splits,
            rows,
            None if divergence is not None else experiment.model,
            divergence,
            self.neighbour,
        )
        right = torch.zeros(len(self.splits.val), dtype=torch.bool)
        gap = None
        if divergence is None and diagnosis.evidence is not None:
            right = right_answers(experiment.model, self.splits.val)
            self.look("trial")
            gap = diagnosis.evidence.train_accuracy - float(right.double().mean())
        return _Trained(right, gap, diagnosis, time.monotonic() - started)


def _baseline(cycle: _Cycle, recipe: Recipe) -> list[_Trained]:
    try:
        return [cycle.train(recipe, k) for k in range(cycle.seeds)]
    except _OutOfTimeError:
        raise RequestError(
            "{minutes:g} minutes are not enough to train the run's own recipe from {seeds} seeds, "
            "with which every remedy is compared. Give a larger --budget.",
            minutes=cycle.budget / 60,
            seeds=cycle.seeds,
        ) from None


def _next(cycle: _Cycle, recipe: Recipe, trained: list[_Trained], refused: set[Message]) -> Remedy | None:
    """The first remedy for what ails most seeds that has not been refused."""
    offered = all_remedies(_verdict(trained), recipe, cycle.available)
    return next((remedy for remedy in offered if remedy.name not in refused), None)


def _try(cycle: _Cycle, remedy: Remedy, recipe: Recipe, trained: list[_Trained]) -> tuple[Trial, list[_Trained]]:
    started = cycle.elapsed
    tried: list[_Trained] = []
    result = partial(_trial, cycle, remedy, trained, tried, started)
    try:
        changed = recipe.changed(remedy.changes)
        for k in range(cycle.seeds):
            tried.append(cycle.train(changed, k))
            if k < cycle.seeds - 1 and _accuracy(tried) <= _accuracy(trained[: k + 1]):
                return result("not better"), tried
    except _OutOfTimeError:
        return result("no time"), tried
    except HonshiError as error:
        return result("not possible", problem=error.message.english), tried
    comparison = compare_recipes(*(torch.stack([one.right for one in recipes]) for recipes in (trained, tried)))
    kept = comparison.p_value < THRESHOLD
    outcome: Outcome = "kept" if kept else "within noise" if comparison.difference > 0 else "not better"
    return result(outcome, comparison=comparison), tried


def _trial(
    cycle: _Cycle,
    remedy: Remedy,
    trained: list[_Trained],
    tried: list[_Trained],
    started: float,
    outcome: Outcome,
    *,
    comparison: RecipeComparison | None = None,
    problem: str | None = None,
) -> Trial:
    return Trial(
        remedy=remedy.name,
        changes=dict(remedy.changes),
        outcome=outcome,
        seeds=len(tried),
        before=_score(trained[: len(tried)] or trained),
        after=_score(tried) if tried else None,
        comparison=comparison,
        seconds=cycle.elapsed - started,
        problem=problem,
    )


def _accuracy(trained: list[_Trained]) -> float:
    return statistics.fmean(float(one.right.double().mean()) for one in trained)


def _verdict(trained: list[_Trained]) -> Verdict:
    return statistics.mode(one.diagnosis.verdict for one in trained)


def _score(trained: list[_Trained]) -> Score:
    gaps = [one.gap for one in trained if one.gap is not None]
    return Score(
        accuracy=_accuracy(trained),
        gap=statistics.fmean(gaps) if gaps else None,
        diverged=len(trained) - len(gaps),
        verdict=_verdict(trained),
    )
