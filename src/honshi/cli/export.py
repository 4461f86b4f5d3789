"""``honshi export``"""

from __future__ import annotations

from pathlib import Path

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.loading import loading
from honshi.cli.options import data_option


@click.command()
@click.argument("run")
@click.option("--onnx", type=click.Path(path_type=Path), metavar="FILE", required=True, help="The ONNX file to write.")
@data_option
@json_option
def export(run: str, onnx: Path, data: str | None, as_json: bool) -> None:
    """Write a run's model for other runtimes; it takes pixels as bytes and gives logits and probabilities.

    Its answers to the run's validation images are compared with those of the model. A model card in Markdown is
    written beside it: what it takes and gives, what it has learnt from, how well it does.

    \b
    Example
      honshi export best --onnx digits.onnx
    """
    with loading():
        from honshi.actions.export import export as action

    found = action(run, onnx, data)
    screen = console(as_json)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=True)
    if as_json:
        print_json(found.to_dict)
