"""``honshi predict``"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import click

from honshi.cli.console import console, json_option, print_json


@click.command()
@click.argument("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--invert", is_flag=True, help="Swap dark and light: for ink on paper with a model of MNIST.")
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write path, label and confidence as a submission.",
)
@json_option
def predict(run: str, paths: tuple[Path, ...], invert: bool, csv_path: Path | None, as_json: bool) -> None:
    """The class of images, or of all images in folders, with the confidence.

    \b
    Examples
      honshi predict latest digit.png
      honshi predict best photos/ --csv submission.csv
    """
    from honshi.errors import ImageError
    from honshi.files import write_whole
    from honshi.models.card import needed_card
    from honshi.pictures.folders import find_images
    from honshi.pictures.prepare import looks_inverted, prepare
    from honshi.prediction import predict_pixels
    from honshi.runs import find

    model = find(run).model()
    contract = needed_card(model).contract
    screen, notes = console(as_json), console(as_json=True)
    results: list[dict[str, Any]] = []
    inverted = 0
    for path in find_images(paths):
        try:
            pixels = prepare(path, contract, invert=invert)
        except ImageError as error:
            results.append({"path": str(path), "error": str(error)})
            notes.print(f"Error: {error}", markup=False, soft_wrap=True)
            continue
        inverted += looks_inverted(pixels, contract)
        prediction = predict_pixels(model, pixels.unsqueeze(0))[0]
        results.append({"path": str(path), **prediction.to_dict()})
        screen.print(f"{path}: {prediction.label} ({prediction.confidence:.1%})", markup=False, soft_wrap=True)
    if inverted:
        light = contract.background < 0.5
        notes.print(
            f"Note: {inverted} of {len(results)} images have a {'light' if light else 'dark'} background and the "
            f"training images a {'dark' if light else 'light'} one. Try {'without ' if invert else ''}--invert.",
            soft_wrap=True,
        )
    if csv_path is not None:
        content = io.StringIO()
        writer = csv.writer(content, lineterminator="\n")
        writer.writerow(("path", "label", "confidence"))
        writer.writerows((r["path"], r.get("label", ""), r.get("confidence", "")) for r in results)
        write_whole(csv_path, content.getvalue().encode())
    if as_json:
        print_json(results)
    if any("error" in result for result in results):
        raise click.exceptions.Exit(1)
