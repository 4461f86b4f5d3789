"""``honshi check``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from honshi.cli.console import console, json_option, print_json, print_why
from honshi.cli.loading import loading
from honshi.cli.options import SUITED, RecipeCommand, read_recipe, recipe_options
from honshi.messages import said, word

if TYPE_CHECKING:
    from rich.console import Console

    from honshi.checks import Report

STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


@click.command(cls=RecipeCommand)
@click.argument("recipe", default="lecture")
@click.option("--model", metavar="FILE.PY:NAME", help="A model of your own: a class, a function or an nn.Module.")
@click.option("--dataset", metavar="FILE.PY:NAME", help="Training data of your own: a Dataset or DataLoader.")
@click.option("--train", metavar="FILE.PY:NAME", help="train(model, loader, criterion, optimizer, device) of your own.")
@click.option("--evaluate", metavar="FILE.PY:NAME", help="evaluate(model, loader, criterion, device) of your own.")
@click.option("--apply", is_flag=True, help="Write the suggested learning rate to the recipe.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    default="lr-range.png",
    show_default=True,
    help="Where the picture of the learning-rate range test goes.",
)
@recipe_options
@json_option
def check(
    recipe: str,
    model: str | None,
    dataset: str | None,
    train: str | None,
    evaluate: str | None,
    apply: bool,
    picture: Path,
    settings: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Look for the usual mistakes before a long training: data, shapes, gradients, modes, loss, learning.

    Each line is pass, warn or fail, and says why and what to do. The exit code is 1 if something failed.
    --apply edits a recipe of your own; a built-in one is written to NAME.toml here.

    \b
    Examples
      honshi check
      honshi check cnn --data fashion-mnist
      honshi check mine.toml --apply
      honshi check --model net.py:Net
      honshi check --model net.py:Net --dataset data.py:train_set
      honshi check --train mine.py:train --evaluate mine.py:evaluate
    """
    chosen, why = read_recipe(recipe, settings, options)
    with loading():
        from honshi.actions.check import check as action

    screen = console(as_json)
    print_why(screen, why)
    outcome = action(
        chosen,
        model_at=model,
        dataset_at=dataset,
        train_at=train,
        evaluate_at=evaluate,
        picture=picture,
        apply_to=(chosen.name if recipe == SUITED else recipe) if apply else None,
    )
    screen.print(str(outcome.title), soft_wrap=True)
    _print_report(screen, outcome.report)
    for sentence in outcome.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if as_json:
        print_json(outcome.report.to_dict)
    if not outcome.report.passed:
        raise click.exceptions.Exit(1)


def _print_report(screen: Console, report: Report) -> None:
    from rich.table import Table
    from rich.text import Text

    findings = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for finding in report.findings:
        style = STYLES[finding.level]
        findings.add_row(Text(said(finding.level), style=style), said(finding.check), finding.sentence)
    screen.print(findings)
    if report.layers:
        layers = Table(box=None, padding=(0, 2, 0, 0))
        layers.add_column(said("layer"))
        layers.add_column(said("kind"))
        layers.add_column(said("output of an image"), justify="right")
        layers.add_column(said("parameters"), justify="right")
        for layer in report.layers:
            layers.add_row(layer.name, layer.kind, "×".join(map(str, layer.output)), f"{layer.parameters:,}")
        screen.print()
        screen.print(layers)
    if report.batch_sizes:
        sizes = Table(box=None, padding=(0, 2, 0, 0))
        for column in (
            word("batch size"),
            word("µs an image"),
            word("kept for backward"),
            word("gradient noise / signal"),
        ):
            sizes.add_column(said(column), justify="right")
        for row in report.batch_sizes:
            sizes.add_row(
                f"{row.batch_size:,}", f"{row.microseconds:.1f}", f"{row.megabytes:.2f} MB", f"{row.noise:.2f}"
            )
        screen.print()
        screen.print(sizes)
    count = {level: sum(finding.level == level for finding in report.findings) for level in STYLES}
    warnings = said(", {count} to look at", count=count["warn"]) if count["warn"] else ""
    if report.passed:
        outcome = said("Nothing failed{warnings}.", warnings=warnings)
    else:
        outcome = said("{count} failed{warnings}.", count=count["fail"], warnings=warnings)
    screen.print("\n" + outcome, style="bold")
