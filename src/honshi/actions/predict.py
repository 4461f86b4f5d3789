"""What a run's model takes pictures for: files, and all in folders."""

from __future__ import annotations

import csv
import glob
import io
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from honshi.data.sources.classes import natural_key
from honshi.errors import RequestError
from honshi.files import is_new_or_empty, make_folder, write_whole
from honshi.messages import Message
from honshi.models.card import needed_card
from honshi.pictures.contract import InputContract
from honshi.pictures.encode import as_png
from honshi.pictures.folders import Found, find_pictures
from honshi.prediction import Answer, predict_files
from honshi.prediction.files import UNNAMED
from honshi.runs import find
from honshi.runtime import threads

# Of the files that are not pictures, so many are named.
NAMED = 5


@dataclass(frozen=True)
class Submission:
    """How answers are written as a table.

    Attributes:
        columns: what the columns of the picture, its label and, if there are three, the confidence are called.
        probabilities: whether a column for each class follows.
        sort: whether pictures stand in the natural order of their paths, 2 before 10; as they were given otherwise.
    """

    columns: tuple[str, ...] = ("path", "label", "confidence")
    probabilities: bool = False
    sort: bool = False

    def __post_init__(self) -> None:
        """
        Raises:
            RequestError: there are not two or three different names.
        """
        if not 2 <= len(self.columns) <= 3 or not all(self.columns) or len(set(self.columns)) < len(self.columns):
            raise RequestError(
                "--columns {columns}: two or three different names are wanted, for the picture, its label and the "
                "confidence, as id,label.",
                columns=",".join(self.columns),
            )


def picture_as(column: str, path: Path) -> str:
    """What stands for a picture in a column: its path, its number or name without the ending, or the file's name."""
    match column.strip().lower():
        case "path":
            return str(path)
        case "id" | "image_id" | "imageid":
            return path.stem
        case _:
            return path.name


@dataclass(frozen=True)
class Answers:
    """What a model took pictures for.

    Attributes:
        each: an answer for each picture, in order.
        others: files in the folders that are not pictures.
        classes: that the model tells apart.
        contract: by which the pictures were prepared.
        invert: whether dark and light were swapped.
    """

    each: list[Answer]
    others: list[Path]
    classes: tuple[str, ...]
    contract: InputContract
    invert: bool

    @property
    def notes(self) -> list[Message]:
        """What should be known of these answers."""
        notes = []
        if inverted := sum(answer.inverted for answer in self.each):
            dark = self.contract.background < 0.5
            notes.append(
                Message(
                    "{inverted} of {n} images have a {theirs} background and the training images a {ours} one. "
                    "Try {without}--invert.",
                    inverted=inverted,
                    n=len(self.each),
                    theirs="light" if dark else "dark",
                    ours="dark" if dark else "light",
                    without="without " if self.invert else "",
                )
            )
        if self.others:
            names = ", ".join(str(path) for path in self.others[:NAMED])
            notes.append(
                Message(
                    "Files in the folders that are not pictures in a format honshi reads were left out ({n:,} in all): "
                    "{names}{more}",
                    n=len(self.others),
                    names=names,
                    more="" if len(self.others) <= NAMED else ", …",
                )
            )
        return notes

    def to_dict(self) -> list[dict[str, Any]]:
        return [
            {"path": str(answer.picture), "error": str(answer.error)}
            if answer.prediction is None
            else {"path": str(answer.picture), **answer.prediction.to_dict()}
            | ({"form": self.contract.form} if answer.formed else {})
            for answer in self.each
        ]

    def to_csv(self, form: Submission | None = None) -> bytes:
        """As a submission; what could not be read has an empty label. Names of files are the bytes that they are."""
        form = form or Submission()
        content = io.StringIO()
        writer = csv.writer(content, lineterminator="\n")
        classes = list(self.classes) if form.probabilities else []
        writer.writerow([*form.columns, *classes])
        for answer in sorted(self.each, key=lambda one: natural_key(str(one.picture))) if form.sort else self.each:
            found = answer.prediction
            values = (
                picture_as(form.columns[0], answer.picture),
                "" if found is None else found.label,
                "" if found is None else found.confidence,
            )
            chances = ["" if found is None else found.probabilities[name] for name in classes]
            writer.writerow([*values[: len(form.columns)], *chances])
        return content.getvalue().encode("utf-8", "surrogateescape")


def matching(path: Path) -> list[Path]:
    """What a path names: itself, or, where nothing is called so and it is a pattern, what fits it, 2 before 10."""
    if os.path.lexists(path) or not glob.has_magic(str(path)):
        return [path]
    return [Path(name) for name in sorted(glob.glob(str(path), recursive=True), key=natural_key)] or [path]  # noqa: PTH207


class Shown:
    """What a model saw of each picture, as pictures of their own: its pixels, and nothing else.

    Attributes:
        folder: where they lie, each by the name of its picture; the second of one name is called ``name-2.png``.
    """

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            RequestError: it is there already and holds anything: what lies there may be the pictures themselves.
            WriteError: it cannot be made.
        """
        if not is_new_or_empty(folder):
            raise RequestError(
                "{path}: what the model saw is written into a new folder, or an empty one, so that nothing is "
                "overwritten.",
                path=folder,
            )
        make_folder(folder)
        self.folder = folder
        self._taken: Counter[str] = Counter()  # in small letters: not every disk tells them apart

    def write(self, picture: Path, pixels: Tensor) -> None:
        """Write what was seen of one picture, uint8 (c, h, w).

        Raises:
            WriteError: it cannot be written.
        """
        name = self._free("picture" if picture == UNNAMED else picture.stem)
        write_whole(self.folder / f"{name}.png", as_png(pixels.permute(1, 2, 0).numpy()))

    def _free(self, name: str) -> str:
        """The name, or the first of name-2, name-3, … that no other picture has."""
        first = name
        while name.casefold() in self._taken:
            self._taken[first.casefold()] += 1
            name = f"{first}-{self._taken[first.casefold()]}"
        self._taken[name.casefold()] = 1
        return name


def predict(
    name: str,
    paths: Sequence[Path],
    *,
    invert: bool = False,
    as_is: bool = False,
    digits: bool = False,
    content: bytes | None = None,
    show: Path | None = None,
    tell: Callable[[Answer], None],
) -> Answers:
    """Ask a run's model about pictures.

    Args:
        name: of the run.
        paths: pictures, folders of them, and patterns such as ``photos/*.jpg``, which not every shell resolves.
        invert: swap dark and light.
        as_is: only scale the pictures, even where the training images had been brought into a form.
        digits: bring them into MNIST's form, even where nothing is known of the training images' form.
        content: of one more picture, which goes before them.
        show: a folder for what the model saw of each.
        tell: called with each answer, soon after it is known.

    Raises:
        RunNotFoundError, DataNotFoundError: there is no such run or file, or no picture in a folder.
        RunError, ModelError: the run has no model that can be asked.
        RequestError, WriteError: what it saw cannot be written there.
    """
    model = find(name).model()
    contract = needed_card(model).contract
    if as_is or digits:
        contract = replace(contract, form="mnist" if digits else None)
    found = find_pictures([one for path in paths for one in matching(path)]) if paths else Found([], [])
    pictures: list[Path | bytes] = [*([] if content is None else [content]), *found.pictures]
    seen = None if show is None else Shown(show).write
    answers = []
    with threads.giving_way():
        for answer in predict_files(model, pictures, contract, invert=invert, seen=seen):
            answers.append(answer)
            tell(answer)
    return Answers(answers, found.others, needed_card(model).classes, contract, invert)
