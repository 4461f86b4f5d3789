"""``honshi export``"""

from __future__ import annotations

from pathlib import Path

import click

from honshi.cli.console import console, json_option, print_json


@click.command()
@click.argument("run")
@click.option("--onnx", type=click.Path(path_type=Path), metavar="FILE", required=True, help="The ONNX file to write.")
@json_option
def export(run: str, onnx: Path, as_json: bool) -> None:
    """Write a run's model for other runtimes; it takes pixels as bytes and gives logits and probabilities.

    \b
    Example
      honshi export best --onnx digits.onnx
    """
    from honshi.export import INPUT, OUTPUTS, to_onnx
    from honshi.runs import find

    found = find(run)
    exported = to_onnx(found.model(), onnx)
    channels, height, width = exported.shape
    count = len(exported.classes)
    screen = console(as_json)
    screen.print(f"{exported.path}: {exported.size:,} bytes, ONNX opset {exported.opset}", soft_wrap=True)
    screen.print(f"input   {INPUT}: uint8 (n, {channels}, {height}, {width}), from 0 to 255")
    for output in OUTPUTS:
        screen.print(f"output  {output}: float32 (n, {count})")
    screen.print(f"ONNX Runtime was asked: its logits are within {exported.difference:.0e} of PyTorch's.")
    if as_json:
        print_json(
            {
                "run": str(found.path),
                "onnx": str(exported.path),
                "bytes": exported.size,
                "opset": exported.opset,
                "input": {"name": INPUT, "type": "uint8", "shape": ["n", *exported.shape]},
                "outputs": [{"name": name, "type": "float32", "shape": ["n", count]} for name in OUTPUTS],
                "classes": exported.classes,
                "largest_difference": exported.difference,
            }
        )
