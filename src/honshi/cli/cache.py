"""``honshi cache``"""

from __future__ import annotations

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.loading import loading
from honshi.messages import said, word


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def cache(context: click.Context, as_json: bool) -> None:
    """What is kept in honshi's data folder and can be made again.

    The ledger, the looks at validation images, and which pictures were set aside for the exam do not belong to it.

    \b
    Examples
      honshi cache
      honshi cache clear
      honshi cache clear pets
    """
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    with loading():
        from honshi.actions.cache import list_cache, size_of

    found = list_cache()
    screen = console(as_json)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in (word("name"), word("what"), word("pictures"), word("size"), word("used (UTC)")):
        right = column in ("pictures", "size")
        table.add_column(said(column), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for entry in found.entries:
        count = "" if entry.shape is None else f"{entry.shape[0]:,} of {'×'.join(map(str, entry.shape[1:]))}"
        used = "" if entry.used is None else f"{entry.used:%Y-%m-%d %H:%M}"
        table.add_row(entry.name, str(entry.what), count, size_of(entry.bytes), used)
    if found.entries:
        screen.print(table)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if as_json:
        print_json(found.to_dict)


@cache.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def clear(names: tuple[str, ...], as_json: bool) -> None:
    """Remove what can be made again: all of it, or what is called NAME in `honshi cache`.

    \b
    Examples
      honshi cache clear
      honshi cache clear pets leaks
    """
    with loading():
        from honshi.actions.cache import clear as action

    found = action(names)
    screen = console(as_json)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if as_json:
        print_json(found.to_dict)
