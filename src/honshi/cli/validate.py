"""``honshi validate``"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from honshi.cli.console import console, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from honshi.evaluation.metrics import ClassScore


@click.command()
@click.argument("run", default="latest")
@json_option
def validate(run: str, as_json: bool) -> None:
    """The mock exam again: score a run on its validation set, as often as you like.

    \b
    Example
      honshi validate latest
    """
    from honshi import losses
    from honshi.errors import RunError
    from honshi.evaluation import evaluate
    from honshi.experiment import load_splits
    from honshi.runs import find

    found = find(run)
    model = found.model()
    splits = load_splits(found.recipe)
    if splits.manifest != found.manifest:
        raise RunError(f"{found.path}: the data are not those that this run was trained and validated on.")
    criterion = losses.build(found.recipe.loss, splits.train.class_counts())
    score = evaluate(model, splits.val, criterion)
    screen = console(as_json)
    screen.print(f"Validation of {found.path}, the mock exam ({splits.manifest.source})", soft_wrap=True)
    lower, upper = score.interval
    screen.print(
        f"accuracy {score.accuracy:.2%} (95 % interval {lower:.2%} to {upper:.2%}, n = {score.n:,}), "
        f"loss {score.loss:.4f}",
        soft_wrap=True,
    )
    print_classes(screen, score.per_class)
    if as_json:
        print_json({"split": "validation", "run": str(found.path), **score.to_dict()})


def print_classes(screen: Console, per_class: Mapping[str, ClassScore]) -> None:
    """A table of the score of each class."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("class")
    for column in ("images", "recall", "precision"):
        table.add_column(column, justify="right")
    for name, score in per_class.items():
        ratios = ("-" if ratio is None else f"{ratio:.2%}" for ratio in (score.recall, score.precision))
        table.add_row(name, f"{score.n:,}", *ratios)
    screen.print(table)
