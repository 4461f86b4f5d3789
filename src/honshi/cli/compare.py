"""``honshi compare``"""

from __future__ import annotations

import click

from honshi.cli.console import console, json_option, note, print_json
from honshi.cli.loading import loading
from honshi.cli.options import data_option


@click.command()
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@data_option
@json_option
def compare(first: str, second: str, data: str | None, as_json: bool) -> None:
    """Whether the second run is better than the first, or only luckier, on the same validation images.

    \b
    Example
      honshi compare 20260401 latest
    """
    with loading():
        from honshi.actions.compare import compare as action

    found = action(first, second, data)
    screen = console(as_json)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    for one in found.notes:
        screen.print(note(one), soft_wrap=True)
    if as_json:
        print_json(found.to_dict)
