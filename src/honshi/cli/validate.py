"""``honshi validate``"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from honshi.cli.console import console, json_option, note, print_json
from honshi.cli.loading import loading
from honshi.cli.options import data_option
from honshi.messages import said, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from honshi.evaluation.metrics import ClassScore


@click.command()
@click.argument("run", default="latest")
@data_option
@json_option
def validate(run: str, data: str | None, as_json: bool) -> None:
    """The mock exam again: score a run on its validation set, as often as you like.

    It also draws, into the run's folder, which classes are taken for which (confusion.png), the
    surest mistakes (mistakes.png) and confidence against accuracy (reliability.png).

    \b
    Example
      honshi validate latest
    """
    with loading():
        from honshi.actions.validate import validate as action

    found = action(run, data)
    screen = console(as_json)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    print_classes(screen, found.score.per_class)
    if found.pictures:
        names = ", ".join(picture.name for picture in found.pictures[1:])
        screen.print(said("Pictures: {first}, {others}", first=found.pictures[0], others=names), soft_wrap=True)
    for one in found.notes:
        screen.print(note(one), soft_wrap=True)
    if as_json:
        print_json(found.to_dict)


def print_classes(screen: Console, per_class: Mapping[str, ClassScore]) -> None:
    """A table of the score of each class."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(said("class"))
    for column in (word("images"), word("recall"), word("precision")):
        table.add_column(said(column), justify="right")
    for name, score in per_class.items():
        ratios = ("-" if ratio is None else f"{ratio:.2%}" for ratio in (score.recall, score.precision))
        table.add_row(name, f"{score.n:,}", *ratios)
    screen.print(table)
