"""``honshi shards``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.loading import loading
from honshi.cli.options import FOR_OWN_DATA, division_options, read_recipe
from honshi.cli.reading import ReadingReport
from honshi.messages import said


@click.command()
@click.argument("data")
@click.argument("out", type=click.Path(path_type=Path))
@division_options
@json_option
def shards(data: str, out: Path, as_json: bool, **options: Any) -> None:
    """Write data as WebDataset shards, for training on many machines: prepared images in tar files.

    DATA is what --data takes, OUT a new folder, which --data takes from then on. Each process of a training reads
    shards of its own from their beginning. The pictures for the exam are not written: they stay sealed where they are.

    \b
    Examples
      honshi shards my-pictures my-shards
      torchrun --nproc-per-node 2 -m honshi train cnn --data my-shards
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    recipe, _ = read_recipe(FOR_OWN_DATA, (), {"data": data, **options})
    with loading():
        from honshi.actions.shards import shards as action

    screen = console(as_json)
    reading = ReadingReport()
    notes = console(as_json=True)
    bar = Progress(
        TextColumn(said("writing shards")),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=notes,
        transient=True,
        disable=not notes.is_terminal,
    )
    task = bar.add_task("", total=None)

    def tell(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        written = action(recipe, out, reading, tell)
    finally:
        reading.close()
        bar.stop()
    for sentence in written.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if as_json:
        print_json(written.to_dict)
