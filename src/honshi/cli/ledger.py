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

    from honshi.exam import Ledger

    book = Ledger.of_user()
    # In this order: who has finished meanwhile has its score in the entries.
    holder = book.holder()
    entries = book.entries()
    completed = {(e["test_sha256"], e["opening"]): e["score"]["accuracy"] for e in entries if e["event"] == "completed"}
    openings = [entry for entry in entries if entry["event"] == "reserved"]
    screen = console(as_json)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("time", "test set", "opening", "accuracy", "run", "reason"):
        table.add_column(column, justify="right" if column in ("opening", "accuracy") else "left")
    for entry in openings:
        accuracy = completed.get((entry["test_sha256"], entry["opening"]))
        unfinished = "broken off" if holder is None or entry is not openings[-1] else f"being sat by {holder.sentence}"
        table.add_row(
            entry["time"],
            entry["test_set"],
            str(entry["opening"]),
            unfinished if accuracy is None else f"{accuracy:.2%}",
            entry["record"].get("run", "-"),
            entry["reason"] or "",
        )
    if openings:
        screen.print(table)
    else:
        screen.print(f"No sealed test set has been opened yet ({book.path}).", soft_wrap=True)
    if as_json:
        print_json(entries)


@ledger.command()
@json_option
def verify(as_json: bool) -> None:
    """Check that no entry was edited, removed or reordered.

    \b
    Example
      honshi ledger verify
    """
    from honshi.exam import Ledger

    book = Ledger.of_user()
    entries, torn = book.read()
    count = len(entries)
    screen = console(as_json)
    screen.print(f"{book.path}: all {count} entries hold.", soft_wrap=True)
    if torn and (holder := book.holder()) is not None:
        screen.print(f"Another one is being written just now, by {holder.sentence}.", soft_wrap=True)
    elif torn:
        screen.print(
            "Behind them stands an unfinished line, as a power cut leaves it. It records nothing, nothing before it "
            "is lost, and the next entry takes its place.",
            soft_wrap=True,
        )
    if as_json:
        print_json({"ledger": str(book.path), "entries": count, "torn": torn})
