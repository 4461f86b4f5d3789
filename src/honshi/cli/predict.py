"""``honshi predict``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from honshi.cli.console import console, json_option, note, print_json
from honshi.cli.loading import loading
from honshi.messages import said

if TYPE_CHECKING:
    from honshi.prediction import Answer


@click.command()
@click.argument("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--digits", is_flag=True, help="Bring each picture into MNIST's form, whatever the model was trained on.")
@click.option("--as-is", is_flag=True, help="Only scale the pictures, even if the training images had MNIST's form.")
@click.option("--invert", is_flag=True, help="Swap dark and light first, as for ink on paper.")
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write path, label and confidence as a submission.",
)
@click.option(
    "--columns",
    metavar="PICTURE,LABEL",
    help="What a submission's columns are called: id,label. An id is a file's name without its ending.",
)
@click.option("--probabilities", is_flag=True, help="Add a column to the submission for each class.")
@click.option("--sort", is_flag=True, help="Sort the submission by path, 2 before 10.")
@click.option(
    "--show",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write what the model saw of each picture into a new folder, as PNG.",
)
@json_option
def predict(
    run: str,
    paths: tuple[Path, ...],
    digits: bool,
    as_is: bool,
    invert: bool,
    csv_path: Path | None,
    columns: str | None,
    probabilities: bool,
    sort: bool,
    show: Path | None,
    as_json: bool,
) -> None:
    """The class of images, or of all images in folders, with the confidence; - is a picture on standard input.

    A model of MNIST, or of images that were made as MNIST's were, brings a drawn or photographed digit into that form
    by itself and says so.

    \b
    Examples
      honshi predict latest digit.png --show seen
      honshi predict best photos/ --csv submission.csv
      honshi predict best test/ --csv submission.csv --columns id,label
    """
    import warnings

    from PIL import Image

    with loading():
        from honshi.actions.predict import Submission
        from honshi.actions.predict import predict as action
    from honshi.data.store.decoding import LARGEST_FILE
    from honshi.files import write_whole

    if digits and as_is:
        raise click.UsageError(said("--digits and --as-is say the opposite of one another: give one of them."))
    if csv_path is None and (columns is not None or probabilities or sort):
        raise click.UsageError(said("--columns, --probabilities and --sort are for a submission: give --csv FILE."))
    names = {} if columns is None else {"columns": tuple(name.strip() for name in columns.split(","))}
    form = Submission(probabilities=probabilities, sort=sort, **names)
    screen, notes = console(as_json), console(as_json=True)

    def tell(answer: Answer) -> None:
        try:
            print_it(answer)
        except (BrokenPipeError, SystemExit):  # the latter is how rich says it, which writes to nowhere from then on
            # Whoever reads the output has closed it, as `| head` does; the file that was asked for is written all the
            # same.
            if csv_path is None:
                raise

    def print_it(answer: Answer) -> None:
        if answer.prediction is None:
            notes.print(said("Error: {error}", error=answer.error), soft_wrap=True)
            return
        label, confidence = answer.prediction.label, answer.prediction.confidence
        formed = said(", brought into MNIST's form") if answer.formed else ""
        screen.print(f"{answer.picture}: {label} ({confidence:.1%}){formed}", soft_wrap=True)

    # Of pictures that are too large we speak ourselves.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    content = sys.stdin.buffer.read(LARGEST_FILE + 1) if Path("-") in paths else None
    paths = tuple(path for path in paths if path != Path("-"))
    answers = action(run, paths, content=content, invert=invert, as_is=as_is, digits=digits, show=show, tell=tell)
    if csv_path is not None:
        write_whole(csv_path, answers.to_csv(form))
    for one in answers.notes:
        notes.print(note(one), soft_wrap=True)
    if as_json:
        print_json(answers.to_dict)
    if any(answer.error for answer in answers.each):
        raise click.exceptions.Exit(1)
