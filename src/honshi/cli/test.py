"""``honshi test``"""

from __future__ import annotations

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.validate import print_classes


@click.command()
@click.argument("run")
@json_option
def test(run: str, as_json: bool) -> None:
    """The real exam: open the sealed test set for a run, on the record.

    It is for the end, when nothing is left to decide. The ledger keeps every opening; the same
    weights get their recorded result again.

    \b
    Example
      honshi test best
    """
    from honshi.data.sources import open_source
    from honshi.exam import test as sit
    from honshi.runs import find

    found = find(run)
    model = found.model()
    result = sit(model, open_source(found.recipe.data.source).test, run=str(found.path.resolve()))
    screen = console(as_json)
    lower, upper = result.interval
    screen.print(
        f"Test accuracy {result.accuracy:.2%} (95 % interval {lower:.2%} to {upper:.2%}, n = {result.n:,}), "
        f"loss {result.loss:.4f}",
        soft_wrap=True,
    )
    print_classes(screen, result.per_class)
    told = "the first" if result.first else "not the first: someone has seen a score on this test set before"
    screen.print(
        f"Opening {result.opening} of the test set of {result.test_set} ({told}), recorded {result.recorded}.",
        soft_wrap=True,
    )
    if as_json:
        print_json(result.to_dict())
