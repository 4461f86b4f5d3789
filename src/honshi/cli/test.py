"""``honshi test``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.loading import loading
from honshi.cli.options import data_option
from honshi.cli.validate import print_classes
from honshi.messages import said, word

if TYPE_CHECKING:
    from rich.console import Console

    from honshi.exam import ExamResult


@click.command()
@click.argument("run")
@click.option("--yes", is_flag=True, help="Do not ask before the test set is opened.")
@click.option("--predict", "expected", type=float, metavar="ACCURACY", help="Record what you expect first: 0.975.")
@click.option("--again", is_flag=True, help="Open a test set that another model has sat; needs --reason.")
@click.option("--reason", metavar="TEXT", help="Why it is opened again; it goes into the ledger.")
@data_option
@json_option
def test(
    run: str, yes: bool, expected: float | None, again: bool, reason: str | None, data: str | None, as_json: bool
) -> None:
    """The real exam: open the sealed test set for a run, once, on the record.

    It is for the end, when nothing is left to decide. The same model gets its recorded
    result again; another model is refused unless you say why.

    \b
    Examples
      honshi test best --predict 0.975
      honshi test latest --again --reason "the first run had a wrong label file"
    """
    with loading():
        from honshi.actions.test import prepare
    from honshi.errors import RequestError

    if expected is not None and not 0 <= expected <= 1:
        raise RequestError("--predict {expected:g}: an accuracy lies between 0 and 1, as 0.975.", expected=expected)
    candidate = prepare(run, data=data, again=again, reason=reason)
    screen = console(as_json)
    for sentence in candidate.sentences:
        screen.print(str(sentence), soft_wrap=True)
    result = candidate.result
    if result is None:
        if not yes:
            if sys.stdin is None or not sys.stdin.isatty():
                raise RequestError("Nobody is there to ask. To open the test set without being asked, give --yes.")
            if not click.confirm(said("Open it?"), err=as_json):
                screen.print(said("It stays sealed."))
                raise click.exceptions.Exit(1)
        result = candidate.sit(expected=expected, tell=lambda message: screen.print(str(message), soft_wrap=True))
    _print_result(screen, result)
    if as_json:
        print_json(result.to_dict)


def _print_result(screen: Console, result: ExamResult) -> None:
    """Expectation, validation and test side by side, then each class."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for column in (word("accuracy"), word("95 % interval"), word("n")):
        table.add_column(said(column), justify="right")
    if result.expected is not None:
        table.add_row(said("expected"), f"{result.expected:.2%}", "", "")
    validation: dict[str, Any] | None = result.record.get("validation")
    if validation is not None:
        lower, upper = validation["interval"]
        table.add_row(
            said("validation"), f"{validation['accuracy']:.2%}", _interval(lower, upper), f"{validation['n']:,}"
        )
    lower, upper = result.interval
    table.add_row(said("test"), f"{result.accuracy:.2%}", _interval(lower, upper), f"{result.n:,}")
    screen.print(table)
    for sentence in result.sentences:
        screen.print(str(sentence), soft_wrap=True)
    print_classes(screen, result.per_class)
    screen.print(str(result.record_sentence), soft_wrap=True)


def _interval(lower: float, upper: float) -> str:
    return said("{lower:.2%} to {upper:.2%}", lower=lower, upper=upper)
