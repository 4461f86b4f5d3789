"""``honshi train``"""

from __future__ import annotations

import time
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Self

import click

from honshi.cli.console import Columns, console, json_option, print_json, print_next, print_plan, print_why
from honshi.cli.features import FeaturesBar
from honshi.cli.loading import loading
from honshi.cli.options import SUITED, RecipeCommand, given_options, read_recipe, recipe_options
from honshi.cli.reading import ReadingReport
from honshi.messages import said, word

if TYPE_CHECKING:
    from rich.console import Console

    from honshi.actions.train import Began, Event, SeedEnded, SeedsBegan, SeedsTraining, Training


@click.command(cls=RecipeCommand)
@click.argument("recipe", required=False)
@recipe_options
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder; runs/<date-time>-<recipe> if left out.")
@click.option("--seeds", type=click.IntRange(2), metavar="N", help="Train N seeds, from --seed on; mean and deviation.")
@click.option("--resume", metavar="RUN", help="Go on with a run, or a folder of seeds, that was interrupted.")
@json_option
def train(
    recipe: str | None,
    settings: tuple[str, ...],
    out: Path | None,
    seeds: int | None,
    resume: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model into a new run folder.

    RECIPE is a built-in recipe (lecture, lecture-as-printed, lecture-table, mlp, cnn, colour, photos,
    fast99, fast995, best, best-fashion), the path of a .toml file, or that of pictures of your own: then it
    is the recipe that suits them.

    \b
    Examples
      honshi train
      honshi train cnn --data fashion-mnist --epochs 5
      honshi train my-photographs
      honshi train --hidden 256,128 --dropout 0.2 --set optimizer.momentum=0.9
      honshi train --resume latest
      torchrun --nproc-per-node 2 -m honshi train cnn --out runs/shared
    """
    if resume is not None:
        _check_nothing_else_is_asked_for(recipe, given_options(settings, options), out, seeds)
    # A wrong option is said before torch is loaded, which takes a second.
    chosen, why = read_recipe(recipe or "lecture", settings, options)
    with loading():
        from honshi.actions import train as action

    screen = console(as_json)
    print_why(screen, why)
    found: action.Training | action.SeedsTraining | None
    with _SeedsReport(screen) as several:
        if seeds is not None:
            found = action.train_seeds(chosen, seeds, out, tell=several)
        else:
            found = action.resume_seeds(resume, tell=several) if resume is not None else None
    if found is not None:
        _print_seeds(screen, found)
    else:
        with _Report(screen) as report:
            found = action.train(chosen, out=out, resume=resume, tell=report, on_step=screen.is_terminal)
        if found is not None:
            _print_end(screen, found)
    if found is not None and as_json:
        print_json(found.to_dict)


def _check_nothing_else_is_asked_for(
    recipe: str | None, options: list[str], out: Path | None, seeds: int | None
) -> None:
    """Beside ``--resume``; a recipe that has to suit data is among the options by ``--data``."""
    from honshi.errors import RequestError

    given = [recipe] if recipe not in (None, SUITED) else []
    given += options + (["--out"] if out else []) + (["--seeds"] if seeds else [])
    if given:
        raise RequestError(
            "--resume goes on with the run's own recipe, so {given} cannot be given with it.",
            given=", ".join(map(str, given)),
        )


class _Report:
    """The plan, then a line for each epoch above a live bar; an interrupted training is told how to go on."""

    def __init__(self, screen: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.screen = screen
        self.reading = ReadingReport()
        self.began: Began | None = None
        self.done = 0
        self.drawn = 0.0
        self.learns = False
        self.features = FeaturesBar(screen)
        self.columns = Columns(
            (word("epoch"), 5),
            (word("train loss"), 11),
            (word("accuracy"), 8),
            (word("val loss"), 10),
            (word("accuracy"), 8),
            (word("seconds"), 8),
        )
        self.bar = Progress(
            TextColumn("{task.description} {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        self.task = self.bar.add_task(said("epoch"), total=None, epoch=1, epochs="?", visible=False)
        self.folds = self.bar.add_task(said("fold"), total=None, epoch=0, epochs="?", visible=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.reading.close()
        self.bar.stop()
        self.features.stop()
        if kind is KeyboardInterrupt and self.began is not None and self.began.run.state.exists():
            self.screen.print("\n" + _stopped(self.began.run.path), soft_wrap=True)

    def __call__(self, event: Event) -> None:
        from honshi.actions.train import Began, EpochEnded, Stepped
        from honshi.data.store import Reading
        from honshi.experiment.folds import FoldEnded
        from honshi.features import Seen
        from honshi.messages import Message

        match event:
            case Began():
                self.began, self.done = event, event.done
                print_plan(self.screen, event.plan)
            case Reading() | Message():
                self.reading(event)
            case Seen():
                self.features(event)
            case Stepped(step=step):
                self._begin()
                # The screen is not redrawn more often than anyone can see.
                if (now := time.perf_counter()) - self.drawn > 0.1:
                    self.drawn = now
                    self._move(step)
            case FoldEnded(done=done, total=total):
                self._show_folds(done, total)
            case EpochEnded(row=row):
                self._begin()
                self.done = row.epoch
                self._move(0)
                self.screen.print(
                    self.columns.row(
                        str(row.epoch),
                        f"{row.train_loss:.4f}",
                        f"{row.train_accuracy:.2%}",
                        f"{row.val_loss:.4f}",
                        f"{row.val_accuracy:.2%}",
                        f"{row.seconds:.2f}",
                    )
                )

    def _show_folds(self, done: int, total: int) -> None:
        """A bar over the models of the folds."""
        self.bar.update(self.folds, total=total, completed=done, epoch=done, epochs=total, visible=done < total)
        self.bar.start()

    def _begin(self) -> None:
        """Show the bar, once it learns."""
        if not self.learns:
            self.learns = True
            self.screen.print(self.columns.head, style="bold")
            self.bar.start()
            assert self.began is not None
            self._move(0, total=self.began.epochs * self.began.steps, visible=True)
            self.bar.refresh()

    def _move(self, step: int, **fields: Any) -> None:
        assert self.began is not None
        epochs, steps = self.began.epochs, self.began.steps
        self.bar.update(
            self.task,
            completed=self.done * steps + step,
            epoch=min(self.done + 1, epochs),
            epochs=epochs,
            **fields,
        )


def _stopped(run: Path) -> str:
    return said("Stopped. Go on with: {command}", command=f"honshi train --resume {quote(str(run))}")


class _SeedsReport:
    """One line for each seed; where it is interrupted, how to go on."""

    def __init__(self, screen: Console) -> None:
        self.screen = screen
        self.folder: Path | None = None
        self.columns = Columns(
            (word("seed"), 5),
            (word("kept epoch"), 10),
            (word("val loss"), 10),
            (word("accuracy"), 8),
            (word("seconds"), 8),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is KeyboardInterrupt and self.folder is not None:
            self.screen.print("\n" + _stopped(self.folder), soft_wrap=True)

    def __call__(self, event: SeedsBegan | SeedEnded) -> None:
        from honshi.actions.train import SeedsBegan

        if isinstance(event, SeedsBegan):
            self.folder = event.folder
            recipe = event.recipe
            self.screen.print(
                said(
                    "recipe {recipe}, {count} seeds on the same split of {data}",
                    recipe=recipe.name,
                    count=event.count,
                    data=recipe.data.source,
                ),
                soft_wrap=True,
            )
            self.screen.print(self.columns.head, style="bold")
            return
        kept = event.kept
        self.screen.print(
            self.columns.row(
                str(event.seed),
                str(kept.epoch),
                f"{kept.val_loss:.4f}",
                f"{kept.val_accuracy:.2%}",
                f"{event.seconds:.2f}",
            )
        )


def _print_seeds(screen: Console, found: SeedsTraining) -> None:
    """What to expect of the next one."""
    screen.print()
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)


def _print_end(screen: Console, training: Training) -> None:
    """The best epoch, what the two curves say, where everything is, and what to do next."""
    screen.print()
    for sentence in training.sentences:
        screen.print(str(sentence), soft_wrap=True)
    files = "curves.png, history.csv, model.safetensors, …"
    screen.print(said("Run folder: {run}  ({files})", run=training.run.path, files=files), soft_wrap=True)
    width = max(len(command) for command, _ in training.next)
    print_next(screen, [f"{command:<{width}}   {purpose}" for command, purpose in training.next])
