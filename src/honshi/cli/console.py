"""Where output goes: text for people, or one JSON document for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from honshi.cli.streams import encodes

if TYPE_CHECKING:
    from honshi.actions.plan import Plan
    from honshi.messages import Message

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document; everything for people goes to stderr."
)


def console(as_json: bool = False) -> Console:
    """For people: stdout, or stderr where stdout belongs to JSON."""
    screen = Console(stderr=as_json, highlight=False, markup=False)
    if not screen.is_terminal:
        screen.width = 160  # a file or a pipe has no edge that a table would have to fit in
    return screen


def print_json(value: Any) -> None:
    """One document; characters that stdout does not have are written as JSON's own escapes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(text if encodes(text) else json.dumps(value, indent=2, allow_nan=False))


def print_why(screen: Console, why: Message | None) -> None:
    """Why it is this recipe, where it had to suit data of one's own."""
    if why is not None:
        screen.print(str(why), soft_wrap=True)


def print_next(screen: Console, commands: list[str]) -> None:
    """What to do next, a command a line."""
    screen.print("\nNext")
    for command in commands:
        screen.print(f"  {command}", soft_wrap=True)


def print_plan(screen: Console, plan: Plan) -> None:
    """What is about to happen, a line for each part."""
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0), title=str(plan.title), title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for line in plan.lines:
        table.add_row("" if line.name is None else str(line.name), "\n".join(map(str, line.texts)))
    screen.print(table)
    screen.print()
