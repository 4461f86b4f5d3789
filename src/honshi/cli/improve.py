"""``honshi improve``"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

import click

from honshi.cli.console import Columns, console, json_option, print_json, print_next
from honshi.cli.loading import loading
from honshi.cli.options import data_option
from honshi.messages import said, word

if TYPE_CHECKING:
    from honshi.actions.improve import Score, Trial


@click.command()
@click.argument("run", default="latest")
@click.option(
    "--budget",
    type=click.FloatRange(0, min_open=True),
    default=3,
    show_default=True,
    metavar="MINUTES",
    help="For everything; what would not be done by then is not begun.",
)
@click.option(
    "--seeds",
    type=click.IntRange(3),
    default=5,
    show_default=True,
    metavar="N",
    help="Seeds of each training, the run's own first.",
)
@data_option
@json_option
def improve(run: str, budget: float, seeds: int, data: str | None, as_json: bool) -> None:
    """Try the remedies one at a time, and keep those that help by more than chance.

    The cycle of training, validating and adjusting, done for you: the run's recipe and each remedy are
    trained from the same seeds and compared on the same validation images; never on the test set. The run's
    folder gets the recipe with what was kept (improved.toml) and all that was tried (improvement.json).
    Ctrl-C ends it with what was found up to then.

    \b
    Example
      honshi improve latest --budget 3
    """
    with loading():
        from honshi.actions import improve as action
    from honshi.runs import find

    found = find(run)
    screen = console(as_json)
    screen.print(
        said(
            "Improving {run}: each remedy from the same {seeds} seeds, {minutes:g} minutes at most",
            run=found.path,
            seeds=seeds,
            minutes=budget,
        ),
        soft_wrap=True,
    )

    columns = Columns((word("remedy"), -22), (word("gap"), 16), (word("accuracy"), 19), (word("points"), 16))

    def on_baseline(score: Score) -> None:
        screen.print(said("As it is: {score}", score=score.sentence) + "\n", soft_wrap=True)
        screen.print(f"{columns.head}   {said('kept?')}", style="bold")

    result = action.improve(
        found,
        60 * budget,
        data=data,
        seeds=seeds,
        on_baseline=on_baseline,
        on_trial=lambda trial: screen.print(_row(columns, trial), soft_wrap=True),
    )
    screen.print()
    screen.print(str(result.outcome), style="bold", soft_wrap=True)
    for sentence in result.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if result.kept:
        improved = quote(f"{result.run}/improved.toml")
        print_next(screen, [f"honshi train {improved}", f"honshi compare {quote(result.run)} latest"])
    if as_json:
        print_json(result.to_dict)
    if result.ended == "interrupted":
        raise KeyboardInterrupt


def _row(columns: Columns, trial: Trial) -> str:
    """A row of the table."""
    gap, accuracy, points = "", "", ""
    if trial.after is not None:
        gap = f"{trial.before.gap_shown} → {trial.after.gap_shown}"
        accuracy = f"{trial.before.accuracy:.2%} → {trial.after.accuracy:.2%}"
    if trial.comparison is not None:
        points = f"{trial.comparison.difference * 100:+.2f} ± {trial.comparison.error * 100:.2f}"
    return f"{columns.row(str(trial.remedy), gap, accuracy, points)}   {trial.said}"
