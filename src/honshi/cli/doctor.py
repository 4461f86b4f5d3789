"""``honshi doctor``"""

from __future__ import annotations

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.loading import loading


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Device, threads, compiled parts, versions and data in one screen.

    \b
    Example
      honshi doctor
    """
    from rich.table import Table

    with loading():
        from honshi.actions.doctor import examine

    machine = examine()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, said in machine.lines:
        table.add_row(str(name), str(said))
    console(as_json).print(table)
    if as_json:
        print_json(machine.to_dict)
