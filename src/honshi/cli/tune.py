"""``honshi tune``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.options import given_options, read_recipe, recipe_options

if TYPE_CHECKING:
    from rich.console import Console

    from honshi.experiment import Experiment
    from honshi.recipe import Recipe
    from honshi.runs import Run
    from honshi.training import FitResult
    from honshi.tuning import Progress, Search

DEFAULT_TRIALS = 50


@click.command()
@click.argument("recipe", required=False)
@recipe_options
@click.option("--trials", type=click.IntRange(1), metavar="N", help="Trials to finish in all; 50 without --minutes.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="M", help="End after so many minutes.")
@click.option("--seeds", type=click.IntRange(2), default=3, show_default=True, metavar="N", help="At the end.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes; one a core if left out.")
@click.option("--storage", metavar="URL", help="A database for many machines: postgresql://USER:PASSWORD@HOST/DATABASE")
@click.option(
    "--heartbeat",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="Between signs of life; a worker silent for three times as long is lost.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The search's folder; given again, it goes on there.")
@json_option
def tune(
    recipe: str | None,
    settings: tuple[str, ...],
    trials: int | None,
    minutes: float | None,
    seeds: int,
    workers: int | None,
    storage: str | None,
    heartbeat: int,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Search for better hyperparameters, on validation data alone.

    RECIPE is a built-in recipe or the path of a .toml file, lecture if left out. What is searched is
    its [tune.space], or learning rate, batch size, layers, dropout, weight decay, optimizer and
    augmentation.

    \b
    Examples
      honshi tune --minutes 5
      honshi tune mlp --trials 100 --out runs/search
      honshi tune --out runs/search --trials 200     goes on there
      honshi tune mlp --trials 500 --storage postgresql://me:secret@server/tuning
    """
    chosen = None
    folder_has_one = out is not None and (out / "search.toml").is_file()
    if recipe is not None or given_options(settings, options) or not folder_has_one:
        chosen = read_recipe(recipe or "lecture", settings, options)
    from honshi.tuning import Search
    from honshi.tuning.search import read_recipe as recipe_in

    if chosen is None:
        assert out is not None
        chosen = recipe_in(out)
    if trials is None and minutes is None:
        trials = DEFAULT_TRIALS
    search = Search.begin(chosen, out, storage, heartbeat)
    screen = console(as_json)
    _print_plan(screen, search, trials, minutes)
    report = _Report(screen, search.recipe)
    try:
        with report.bar:
            content = search.run(
                trials=trials,
                minutes=minutes,
                workers=workers,
                seeds=seeds,
                on_progress=report.progress,
                on_seed=report.seed,
            )
    except KeyboardInterrupt:
        where = f" --storage URL --out {search.folder}" if storage else f" --out {search.folder}"
        screen.print(
            f"\nStopped. All finished trials are kept ({search.folder / 'trials.csv'}). Go on with: honshi tune{where}",
            soft_wrap=True,
        )
        raise
    _print_end(screen, content)
    if as_json:
        print_json(content)


class _Report:
    """One line for each finished trial above a bar with the best so far and the time left."""

    def __init__(self, screen: Console, recipe: Recipe) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self.screen = screen
        self.recipe = recipe
        self.shown: set[int] = set()
        self.seeds = 0
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[left]}"),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        self.task = self.bar.add_task("trial 0", total=None, left="")

    def progress(self, now: Progress) -> None:
        from optuna.trial import FixedTrial

        from honshi.tuning.space import differences, suggest

        best = "" if now.best is None else f"best {now.best.accuracy:.2%} (trial {now.best.number})"
        for trial in now.finished:
            if trial.number in self.shown:
                continue
            if not self.shown:
                self.screen.print("trial  state     epochs  val accuracy  seconds  changes", style="bold")
            self.shown.add(trial.number)
            if trial.problem is None:
                changes = differences(suggest(FixedTrial(trial.parameters), self.recipe), self.recipe)
                told = " ".join(f"{key}={_short(value)}" for key, value in changes.items()) or "none: the recipe itself"
            else:
                told = trial.problem
            accuracy = "" if trial.accuracy is None else f"{trial.accuracy:.2%}"
            numbers = f"{trial.epochs:>6}  {accuracy:>12}  {trial.seconds:>7.1f}"
            self.screen.print(f"{trial.number:>5}  {trial.state:<8}  {numbers}  {told}", soft_wrap=True)
        of = "" if now.goal is None else f" of {now.goal}"
        self.bar.update(
            self.task,
            description=f"{len(now.finished)}{of} trials · {best}" if best else f"{len(now.finished)}{of} trials",
            completed=len(now.finished),
            total=now.goal,
            left="" if now.seconds_left is None else f"{_clock(now.seconds_left)} left",
        )

    def seed(self, run: Run, experiment: Experiment, result: FitResult) -> None:
        if not self.seeds:
            self.screen.print("\nThe recipe begun with and the best one, from seeds that no trial had", style="bold")
        self.seeds += 1
        kept = run.kept
        self.bar.update(self.task, description=f"training {run.name}", left="")
        self.screen.print(f"{experiment.recipe.name}  {run.name}  {kept.val_accuracy:.2%}", soft_wrap=True)


def _print_plan(screen: Console, search: Search, trials: int | None, minutes: float | None) -> None:
    from rich.table import Table

    recipe = search.recipe
    assert recipe.tune is not None
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0), title=f"tune {recipe.name}", title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    splits = search.splits
    table.add_row("train", f"{len(splits.train):,} images of {splits.manifest.source}")
    table.add_row("validation", f"{len(splits.val):,} images; every epoch of every trial is a look")
    table.add_row("test", "sealed: no choice is made on it")
    table.add_row("search", "\n".join(f"{key}: {_entry(entry)}" for key, entry in recipe.tune.space.items()))
    ends = [f"{trials} trials" if trials else "", f"{minutes:g} minutes" if minutes else ""]
    table.add_row("until", " or ".join(filter(None, ends)))
    table.add_row("folder", str(search.folder))
    screen.print(table)
    screen.print()


def _print_end(screen: Console, content: dict[str, Any]) -> None:
    """What was found, how far to believe it, and what to do next."""
    trials, best, base, tuned = content["trials"], content["best"], content["base"], content["tuned"]
    screen.print(
        f"\n{trials['complete']} trials complete, {trials['pruned']} stopped early. Best: trial {best['trial']}, "
        f"validation accuracy {best['val_accuracy']:.2%}.",
        soft_wrap=True,
    )
    for key, value in best["changes"].items():
        screen.print(f"  {key} = {_short(value)}")
    if content["importance"]:
        shown = " · ".join(f"{name} {share:.0%}" for name, share in content["importance"].items() if share >= 0.01)
        screen.print(f"Importance: {shown}", soft_wrap=True)
    else:
        screen.print("Importance: too few trials to tell.")
    screen.print(
        f"The search looked at the validation set {content['looks']:,} times; the best of so many looks seems better "
        f"than it is by up to {content['optimism'] * 100:.2f} points through chance alone.",
        soft_wrap=True,
    )
    before, after, difference = base["val_accuracy"], tuned["val_accuracy"], content["difference"]
    verdict = "within noise" if difference["within_noise"] else "more than noise"
    screen.print(
        f"Over {len(tuned['runs'])} fresh seeds: {before['mean']:.2%} ± {before['deviation']:.2%} before, "
        f"{after['mean']:.2%} ± {after['deviation']:.2%} after. Of the first seed's two models the difference is "
        f"{difference['difference'] * 100:+.2f} points (McNemar's exact test: p = {difference['p_value']:.3g}, "
        f"{verdict}).",
        soft_wrap=True,
    )
    folder = content["run"]
    screen.print(f"Folder: {folder}  (best.toml, trials.csv, tune.png, tune.json)", soft_wrap=True)
    screen.print("\nNext")
    screen.print(f"  honshi train {folder}/best.toml    train with what was found", soft_wrap=True)
    screen.print(f"  honshi validate {tuned['runs'][0]}    the mock exam: the score of each class", soft_wrap=True)
    screen.print(f"  honshi tune --out {folder} --trials N    search on", soft_wrap=True)


def _entry(entry: Any) -> str:
    """One entry of the space in a line."""
    from honshi.ranges import Choices, Range, Sizes, Strength

    match entry:
        case Range():
            step = f" in steps of {entry.step:g}" if entry.step is not None else ""
            return f"{entry.low:g} to {entry.high:g}{step}{', log' if entry.log else ''}"
        case Choices():
            return " | ".join(map(_short, entry.choices))
        case Sizes():
            fewest, most = entry.layers
            return f"{fewest} to {most} layers of {entry.low} to {entry.high}{', log' if entry.log else ''}"
        case Strength():
            full = ", ".join(f"{option} {value:g}" for option, value in entry.strength.items())
            return f"0 to 1 in steps of {entry.step:g}, times {full}"
        case _:
            return "; ".join(f"{kind} {_entry(plain)}" for kind, plain in entry.items())


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple | list):
        return ",".join(map(_short, value))
    return str(value)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    return f"{minutes}:{rest:02}"
