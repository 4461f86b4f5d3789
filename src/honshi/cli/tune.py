"""``honshi tune``"""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Self

import click

from honshi.cli.console import Columns, console, json_option, print_json, print_next, print_plan, print_why
from honshi.cli.loading import loading
from honshi.cli.options import RecipeCommand, given_options, read_recipe, recipe_options
from honshi.messages import said, word

if TYPE_CHECKING:
    from rich.console import Console

    from honshi.actions.tune import Event
    from honshi.tuning import Progress


@click.command(cls=RecipeCommand)
@click.argument("recipe", required=False)
@recipe_options
@click.option("--trials", type=click.IntRange(1), metavar="N", help="Trials to finish in all; 50 without --minutes.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="M", help="End after so many minutes.")
@click.option("--seeds", type=click.IntRange(2), default=3, show_default=True, metavar="N", help="Seeds at the end.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Worker processes; one a core if left out.")
@click.option("--storage", metavar="URL", help="A database for many machines: postgresql://USER:PASSWORD@HOST/DATABASE")
@click.option(
    "--heartbeat",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="From one sign of life to the next; a worker silent for three times as long is lost.",
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
    chosen, why = None, None
    folder_has_one = out is not None and (out / "search.toml").is_file()
    if recipe is not None or given_options(settings, options) or not folder_has_one:
        chosen, why = read_recipe(recipe or "lecture", settings, options)
    with loading():
        from honshi.actions import tune as action
    from honshi.tuning.search import read_recipe as recipe_in

    if chosen is None:
        assert out is not None
        chosen = recipe_in(out)
    screen = console(as_json)
    print_why(screen, why)
    with _Report(screen, storage) as report:
        found = action.tune(
            chosen,
            trials=trials,
            minutes=minutes,
            seeds=seeds,
            workers=workers,
            storage=storage,
            heartbeat=heartbeat,
            out=out,
            tell=report,
        )
    screen.print()
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    print_next(screen, [f"{command}    {purpose}" for command, purpose in found.next])
    if as_json:
        print_json(found.to_dict)


class _Report:
    """The plan, then a line for each finished trial above a bar with the best so far and the time left."""

    def __init__(self, screen: Console, storage: str | None) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self.screen = screen
        self.storage = storage
        self.folder: Path | None = None
        self.columns = Columns(
            (word("trial"), 5),
            (word("state"), -8),
            (word("epochs"), 6),
            (word("val accuracy"), 12),
            (word("seconds"), 7),
        )
        self.trials = 0
        self.seeds = 0
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[left]}"),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        self.task = self.bar.add_task("", total=None, left="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.bar.stop()
        if kind is KeyboardInterrupt and self.folder is not None:
            from honshi.tuning.study import shown

            storage = f" --storage {quote(shown(self.storage))}" if self.storage else ""
            self.screen.print(
                "\n"
                + said(
                    "Stopped. All finished trials are kept ({table}). Go on with: {command}",
                    table=self.folder / "trials.csv",
                    command=f"honshi tune{storage} --out {quote(str(self.folder))}",
                ),
                soft_wrap=True,
            )

    def __call__(self, event: Event) -> None:
        from honshi.actions.tune import Advanced, Began, SeedEnded, TrialEnded

        match event:
            case Began():
                self.folder = event.folder
                print_plan(self.screen, event.plan)
                self.bar.start()
            case TrialEnded(trial=trial, changes=changes):
                if not self.trials:
                    self.screen.print(f"{self.columns.head}  {said('changes')}", style="bold")
                self.trials += 1
                accuracy = "" if trial.accuracy is None else f"{trial.accuracy:.2%}"
                cells = str(trial.number), said(trial.state), str(trial.epochs), accuracy, f"{trial.seconds:.1f}"
                self.screen.print(f"{self.columns.row(*cells)}  {changes}", soft_wrap=True)
            case Advanced(progress=progress):
                self._advance(progress)
            case SeedEnded(recipe=recipe, run=run):
                if not self.seeds:
                    heading = said("The original recipe and the best one, from seeds that no trial had")
                    self.screen.print("\n" + heading, style="bold")
                self.seeds += 1
                self.bar.update(self.task, description=said("training {run}", run=run.name), left="")
                self.screen.print(f"{recipe}  {run.name}  {run.kept.val_accuracy:.2%}", soft_wrap=True)

    def _advance(self, now: Progress) -> None:
        done: dict[str, Any] = {"done": len(now.finished), "goal": now.goal}
        trials = said("{done} trials", **done) if now.goal is None else said("{done} of {goal} trials", **done)
        best = ""
        if now.best is not None:
            best = said(" · best {accuracy:.2%} (trial {number})", accuracy=now.best.accuracy, number=now.best.number)
        self.bar.update(
            self.task,
            description=trials + best,
            completed=len(now.finished),
            total=now.goal,
            left="" if now.seconds_left is None else said("{time} left", time=_clock(now.seconds_left)),
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    return f"{minutes}:{rest:02}"
