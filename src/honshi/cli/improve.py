"""``honshi improve``"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from honshi.cli.console import console, json_option, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from honshi.improvement import Improvement, Score, Trial


@click.command()
@click.argument("run", default="latest")
@click.option(
    "--budget",
    type=click.FloatRange(0, min_open=True),
    default=3,
    show_default=True,
    metavar="MINUTES",
    help="No training is begun, or gone on with, that would not be done by then.",
)
@click.option(
    "--seeds",
    type=click.IntRange(3),
    default=5,
    show_default=True,
    metavar="N",
    help="Of each training, from the run's.",
)
@json_option
def improve(run: str, budget: float, seeds: int, as_json: bool) -> None:
    """Try the remedies one at a time, and keep those that help by more than chance.

    The cycle of training, validating and adjusting, done for you: the run's recipe and each remedy are
    trained from the same seeds and compared on the same validation images; never on the test set. The run's
    folder gets the recipe with what was kept (improved.toml) and all that was tried (improvement.json).
    Ctrl-C ends it with what was found up to then.

    \b
    Example
      honshi improve latest --budget 3
    """
    from honshi import improvement
    from honshi.runs import find

    found = find(run)
    screen = console(as_json)
    screen.print(
        f"Improving {found.path}: each remedy from the same {seeds} seeds, {budget:g} minutes at most", soft_wrap=True
    )

    def on_baseline(score: Score) -> None:
        screen.print(
            f"As it is: validation accuracy {score.accuracy:.2%}, gap {_gap(score)}, {score.verdict}\n", soft_wrap=True
        )
        screen.print(f"{'remedy':<24}{'gap':>18}{'accuracy':>21}{'points':>18}   kept?", style="bold")

    result = improvement.improve(
        found,
        60 * budget,
        seeds=seeds,
        on_baseline=on_baseline,
        on_trial=lambda trial: screen.print(_line(trial), soft_wrap=True),
    )
    _print_end(screen, found.manifest.val_sha256, found.manifest.val_size, result)
    if as_json:
        print_json(result.to_dict())
    if result.ended == "interrupted":
        raise KeyboardInterrupt


def _line(trial: Trial) -> str:
    """A row of the table."""
    gap, accuracy, points = "", "", ""
    if trial.after is not None:
        gap = f"{_gap(trial.before)} → {_gap(trial.after)}"
        accuracy = f"{trial.before.accuracy:.2%} → {trial.after.accuracy:.2%}"
    if trial.comparison is not None:
        points = f"{trial.comparison.difference * 100:+.2f} ± {trial.comparison.error * 100:.2f}"
    said = {
        "kept": "yes",
        "within noise": "no: within noise",
        "not better": f"no: not better after {trial.seeds} seed{'s' if trial.seeds > 1 else ''}",
        "no time": "no: it would not be done in time",
        "not possible": f"no: {trial.problem}",
    }[trial.outcome]
    return f"{trial.remedy:<24}{gap:>18}{accuracy:>21}{points:>18}   {said}"


def _gap(score: Score) -> str:
    return "diverged" if score.gap is None else f"{score.gap * 100:+.2f}"


def _print_end(screen: Console, val_sha256: str, val_size: int, result: Improvement) -> None:
    """What came of it, what that is worth, and what to do next."""
    from honshi.improvement import CHANCE, THRESHOLD, TRIALS
    from honshi.runs import looks

    before, after = result.baseline, result.improved
    screen.print()
    if result.kept:
        screen.print(
            f"Validation accuracy {before.accuracy:.2%} → {after.accuracy:.2%} "
            f"({(after.accuracy - before.accuracy) * 100:+.2f} points), gap {_gap(before)} → {_gap(after)}, with "
            f"{', '.join(result.kept)}.",
            style="bold",
            soft_wrap=True,
        )
    else:
        screen.print("Nothing was kept: the recipe stays as it is.", style="bold", soft_wrap=True)
    ended = {
        "done": "There is nothing more to try.",
        "trials": f"{TRIALS} remedies were tried, as many as the threshold is made for.",
        "no time": "Time ran out before everything was tried.",
        "interrupted": "Stopped before everything was tried.",
    }[result.ended]
    screen.print(
        f"{ended} {result.seconds:.0f} seconds, means over {result.seeds} seeds, n = {val_size:,}. A remedy is kept "
        f"below p = {THRESHOLD:.2g}: {CHANCE:.0%}, shared by up to {TRIALS} remedies.",
        soft_wrap=True,
    )
    wear = looks.describe(val_sha256, val_size, after.accuracy)
    screen.print(f"The cycle looked at the validation set {result.looks:,} times. {wear.sentence}", soft_wrap=True)
    if result.kept:
        screen.print("\nNext")
        screen.print(f"  honshi train {result.run}/improved.toml", soft_wrap=True)
        screen.print(f"  honshi compare {result.run} latest", soft_wrap=True)
