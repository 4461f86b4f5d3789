"""Where output goes: text for people, or one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len
from rich.console import Console

from honshi.cli.streams import encodes
from honshi.language import speaking
from honshi.messages import said

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


def print_json(made: Callable[[], Any]) -> None:
    """One document, in English whatever is spoken, so that programs read the same everywhere.

    Characters that stdout does not have are written as JSON's own escapes.

    Args:
        made: what gives the value.
    """
    with speaking("en"):
        value = made()
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(text if encodes(text) else json.dumps(value, indent=2, allow_nan=False))


def print_why(screen: Console, why: Message | None) -> None:
    """Why it is this recipe, where it had to suit data of one's own."""
    if why is not None:
        screen.print(str(why), soft_wrap=True)


def note(sentence: object) -> str:
    """A line that gives to think about."""
    return said("Note: {note}", note=sentence)


class Columns:
    """Columns of a table that is printed row by row, set to the right, or to the left where a width is negative.

    A character of Chinese, Japanese or Korean is two wide, so a name may make its column wider.
    """

    def __init__(self, *columns: tuple[str, int]) -> None:
        """
        Args:
            columns: name, as it is translated, and width of each.
        """
        self.names = [said(name) for name, _ in columns]
        self.widths = [
            max(cell_len(name), abs(width)) * (1 if width > 0 else -1)
            for name, (_, width) in zip(self.names, columns, strict=True)
        ]

    @property
    def head(self) -> str:
        return self.row(*self.names)

    def row(self, *cells: str) -> str:
        return "  ".join(_padded(text, width) for text, width in zip(cells, self.widths, strict=True)).rstrip()


def _padded(text: str, width: int) -> str:
    blanks = " " * (abs(width) - cell_len(text))
    return blanks + text if width > 0 else text + blanks


def print_next(screen: Console, commands: list[str]) -> None:
    """What to do next, a command a line."""
    screen.print("\n" + said("Next"))
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
