"""``honshi ledger``"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.loading import loading
from honshi.messages import said, word


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

    with loading():
        from honshi.actions.ledger import openings

    found = openings()
    screen = console(as_json)
    table = Table(box=None, padding=(0, 2, 0, 0))
    reasons = any(opening.entry["reason"] for opening in found.openings)
    for column in (
        word("time (UTC)"),
        word("test set"),
        word("opening"),
        word("accuracy"),
        word("run"),
        *[word("reason")] * reasons,
    ):
        table.add_column(
            said(column), justify="right" if column in ("opening", "accuracy") else "left", overflow="fold"
        )
    for opening in found.openings:
        entry = opening.entry
        time = datetime.fromisoformat(entry["time"]).astimezone(UTC)
        cells = [f"{time:%Y-%m-%d %H:%M}", entry["test_set"], str(entry["opening"]), str(opening.outcome)]
        cells += [_shown(entry["record"].get("run", "-")), *[entry["reason"] or ""] * reasons]
        table.add_row(*cells)
    if found.openings:
        screen.print(table)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if as_json:
        print_json(lambda: found.entries)


def _shown(run: str) -> str:
    """A run's folder as one names it from here."""
    here = Path.cwd()
    return str(Path(run).relative_to(here)) if Path(run).is_relative_to(here) else run


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
        print_json(found.to_dict)
