"""Where output goes: text for people, or one JSON document for programs."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console

from honshi.cli.streams import encodes

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


def print_next(screen: Console, commands: list[str]) -> None:
    """What to do next, a command a line."""
    screen.print("\nNext")
    for command in commands:
        screen.print(f"  {command}", soft_wrap=True)
