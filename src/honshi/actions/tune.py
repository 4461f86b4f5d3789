"""A search for better hyperparameters, from what was asked for to what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, TypeAlias

from optuna.trial import FixedTrial

from honshi.actions.plan import Line, Plan
from honshi.messages import Message
from honshi.recipe import Recipe
from honshi.recipe.ranges import Choices, Range, Sizes, Strength
from honshi.runs import Run
from honshi.tuning import Progress, Search
from honshi.tuning.space import differences, suggest
from honshi.tuning.study import Trial

DEFAULT_TRIALS = 50


@dataclass(frozen=True)
class Began:
    """The search's folder is there and its first trial is next.

    Attributes:
        folder: where it goes to.
        plan: what is about to be searched.
    """

    folder: Path
    plan: Plan


@dataclass(frozen=True)
class Advanced:
    """Some worker has finished an epoch."""

    progress: Progress


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over.

    Attributes:
        trial: which.
        changes: in what it differed from the recipe; or why it failed.
    """

    trial: Trial
    changes: Message


@dataclass(frozen=True)
class SeedEnded:
    """One training of the comparison at the end: of the original recipe, or of the best one."""

    recipe: str
    run: Run


Event: TypeAlias = Began | Advanced | TrialEnded | SeedEnded
Tell: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes:
        content: of ``tune.json``.
    """

    content: dict[str, Any]

    @property
    def sentences(self) -> list[Message]:
        """What was found, and how far to believe it."""
        trials, best, difference = self.content["trials"], self.content["best"], self.content["difference"]
        before, after = self.content["base"]["val_accuracy"], self.content["tuned"]["val_accuracy"]
        importance = {name: share for name, share in self.content["importance"].items() if share >= 0.01}
        shown = " · ".join(f"{name} {share:.0%}" for name, share in importance.items())
        return [
            Message(
                "{complete} trials complete, {pruned} stopped early. Best: trial {number}, "
                "validation accuracy {accuracy:.2%}.",
                complete=trials["complete"],
                pruned=trials["pruned"],
                number=best["trial"],
                accuracy=best["val_accuracy"],
            ),
            *(Message("  {key} = {value}", key=key, value=short(value)) for key, value in best["changes"].items()),
            Message("Importance: {shown}", shown=shown)
            if self.content["importance"]
            else Message("Importance: too few trials to tell."),
            Message(
                "The search looked at the validation set {looks:,} times; the best of so many looks seems better "
                "than it is by up to {points:.2f} points through chance alone.",
                looks=self.content["looks"],
                points=self.content["optimism"] * 100,
            ),
            Message(
                "Over {seeds} fresh seeds: {before:.2%} ± {before_deviation:.2%} before, "
                "{after:.2%} ± {after_deviation:.2%} after. Of the first seed's two models the difference is "
                "{points:+.2f} points (McNemar's exact test: p = {p:.3g}, {verdict}).",
                seeds=len(self.content["tuned"]["runs"]),
                before=before["mean"],
                before_deviation=before["deviation"],
                after=after["mean"],
                after_deviation=after["deviation"],
                points=difference["difference"] * 100,
                p=difference["p_value"],
                verdict=Message("within noise") if difference["within_noise"] else Message("more than noise"),
            ),
            Message("Folder: {folder}  (best.toml, trials.csv, tune.png, tune.json)", folder=self.content["run"]),
        ]

    @property
    def next(self) -> list[tuple[str, Message]]:
        """Commands that go on from here, and what for."""
        folder, run = self.content["run"], self.content["tuned"]["runs"][0]
        more = sum(self.content["trials"][state] for state in ("complete", "pruned")) + DEFAULT_TRIALS
        return [
            (f"honshi train {quote(f'{folder}/best.toml')}", Message("train with what was found")),
            (f"honshi validate {quote(run)}", Message("the mock exam: the score of each class")),
            (f"honshi tune --out {quote(folder)} --trials {more}", Message("search on")),
        ]

    def to_dict(self) -> dict[str, Any]:
        return self.content


def tune(
    recipe: Recipe,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    seeds: int = 3,
    workers: int | None = None,
    storage: str | None = None,
    heartbeat: int = 20,
    out: Path | None = None,
    tell: Tell,
) -> Tuning:
    """Search around a recipe; the arguments are those of `honshi.tuning.Search`.

    Args:
        trials: to finish in all; 50 where neither they nor minutes are given.
        tell: called as things happen.

    Raises:
        RequestError, RunError, HonshiError: as `honshi.tuning.Search`.
    """
    if trials is None and minutes is None:
        trials = DEFAULT_TRIALS
    search = Search.begin(recipe, out, storage, heartbeat)
    tell(Began(search.folder, _plan(search, trials, minutes)))
    told: set[int] = set()

    def on_progress(progress: Progress) -> None:
        for trial in progress.finished:
            if trial.number not in told:
                told.add(trial.number)
                tell(TrialEnded(trial, _changes(trial, search.recipe)))
        tell(Advanced(progress))

    return Tuning(
        search.run(
            trials=trials,
            minutes=minutes,
            workers=workers,
            seeds=seeds,
            on_progress=on_progress,
            on_seed=lambda run: tell(SeedEnded(run.recipe.name, run)),
        )
    )


def _changes(trial: Trial, recipe: Recipe) -> Message:
    if trial.problem is not None:
        return Message("{problem}", problem=trial.problem)
    changes = differences(suggest(FixedTrial(trial.parameters), recipe), recipe)
    if not changes:
        return Message("none: the recipe itself")
    return Message("{changes}", changes=" ".join(f"{key}={short(value)}" for key, value in changes.items()))


def _plan(search: Search, trials: int | None, minutes: float | None) -> Plan:
    recipe, splits = search.recipe, search.splits
    assert recipe.tune is not None
    entries = [Message("{key}: {entry}", key=key, entry=_entry(entry)) for key, entry in recipe.tune.space.items()]
    match trials, minutes:
        case int(), None:
            until = Message("{trials} trials", trials=trials)
        case None, _:
            until = Message("{minutes:g} minutes", minutes=minutes)
        case _:
            until = Message("{trials} trials or {minutes:g} minutes", trials=trials, minutes=minutes)
    train = Message("{n:,} images of {data}", n=len(splits.train), data=splits.manifest.source)
    looks = Message("{n:,} images; every epoch of every trial is a look", n=len(splits.val))
    return Plan(
        Message("tune {name}", name=recipe.name),
        [
            Line(Message("train"), [train]),
            Line(Message("validation"), [looks]),
            Line(Message("test"), [Message("sealed: no choice is made on it")]),
            Line(Message("search"), entries),
            Line(Message("until"), [until]),
            Line(Message("folder"), [Message("{folder}", folder=search.folder)]),
        ],
    )


def _entry(entry: Any) -> str:
    """One entry of the space in a line."""
    match entry:
        case Range():
            step = f" in steps of {entry.step:g}" if entry.step is not None else ""
            return f"{entry.low:g} to {entry.high:g}{step}{', log' if entry.log else ''}"
        case Choices():
            return " | ".join(map(short, entry.choices))
        case Sizes():
            fewest, most = entry.layers
            return f"{fewest} to {most} layers of {entry.low} to {entry.high}{', log' if entry.log else ''}"
        case Strength():
            full = ", ".join(f"{option} {value:g}" for option, value in entry.strength.items())
            return f"0 to 1 in steps of {entry.step:g}, times {full}"
        case _:
            return "; ".join(f"{kind} {_entry(plain)}" for kind, plain in entry.items())


def short(value: Any) -> str:
    """A value of a hyperparameter as people write it."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple | list):
        return ",".join(map(short, value))
    return str(value)
