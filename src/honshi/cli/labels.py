"""``honshi labels``"""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from honshi.cli.console import console, json_option, note, print_json
from honshi.cli.loading import loading
from honshi.cli.options import data_option
from honshi.messages import said

if TYPE_CHECKING:
    from rich.console import Console

    from honshi.actions.labels import Doubts

# A screenful; the table and --json have all.
SHOWN = 20


@click.command()
@click.argument("run", default="latest")
@data_option
@click.option(
    "--csv",
    "table",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a table of all pictures, to be corrected and given to --data.",
)
@json_option
def labels(run: str, data: str | None, table: Path | None, as_json: bool) -> None:
    """The images whose label is most in doubt, by models that have not learnt from them.

    It takes a run by folds, as honshi train FOLDER makes of few photographs, or --folds 5 of anything.
    The run's folder gets the most doubtful ones as a picture (labels.png).

    \b
    Example
      honshi labels latest --csv corrected.csv
      honshi train corrected.csv
    """
    with loading():
        from honshi.actions.labels import labels as action

    found = action(run, data, table)
    screen = console(as_json)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if found.doubts:
        _print_doubts(screen, found)
    if found.picture is not None:
        screen.print(said("Picture: {picture}", picture=found.picture), soft_wrap=True)
    if table is not None:
        then = f"honshi train {quote(str(table))}"
        then_train = said("Table: {table}  (correct its column label, then: {command})", table=table, command=then)
        screen.print(then_train, soft_wrap=True)
    for one in found.notes:
        screen.print(note(one), soft_wrap=True)
    if as_json:
        print_json(found.to_dict)


def _print_doubts(screen: Console, found: Doubts) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(said("image"), overflow="fold")
    table.add_column(said("label"))
    table.add_column(said("confidence"), justify="right")
    table.add_column(said("suggested"))
    table.add_column(said("confidence"), justify="right")
    for doubt in found.doubts[:SHOWN]:
        table.add_row(
            Text(found.names[doubt.place]),
            Text(found.classes[doubt.label]),
            f"{doubt.own:.1%}",
            Text(found.classes[doubt.suggested]),
            f"{doubt.other:.1%}",
        )
    screen.print(table)
    if len(found.doubts) > SHOWN:
        screen.print(said("and {count:,} more", count=len(found.doubts) - SHOWN))
