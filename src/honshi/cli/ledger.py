"""``honshi ledger``"""

from __future__ import annotations

import click

from honshi.cli.console import console, json_option, print_json


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def ledger(context: click.Context, as_json: bool) -> None:
    """Every opening of a sealed test set, the oldest first.

    \b
    Examples
      honshi ledger
      honshi ledger verify
    """
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    from honshi.actions.ledger import openings

    found = openings()
    screen = console(as_json)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("time", "test set", "opening", "accuracy", "run", "reason"):
        table.add_column(column, justify="right" if column in ("opening", "accuracy") else "left")
    for opening in found.openings:
        entry = opening.entry
        run, reason = entry["record"].get("run", "-"), entry["reason"] or ""
        table.add_row(entry["time"], entry["test_set"], str(entry["opening"]), str(opening.outcome), run, reason)
    if found.openings:
        screen.print(table)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if as_json:
        print_json(found.entries)


@ledger.command()
@json_option
def verify(as_json: bool) -> None:
    """Check that no entry was edited, removed or reordered.

    \b
    Example
      honshi ledger verify
    """
    from honshi.actions.ledger import verify as action

    found = action()
    screen = console(as_json)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if as_json:
        print_json(found.to_dict())
