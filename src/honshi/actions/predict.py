"""What a run's model takes pictures for: files, and all in folders."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from honshi.messages import Message
from honshi.models.card import needed_card
from honshi.pictures.contract import InputContract
from honshi.pictures.folders import find_pictures
from honshi.prediction import Answer, predict_files
from honshi.runs import find
from honshi.runtime import threads

# Of the files that are not pictures, so many are named.
NAMED = 5


@dataclass(frozen=True)
class Answers:
    """What a model took pictures for.

    Attributes:
        each: an answer for each picture, in order.
        others: files in the folders that are not pictures.
        contract: by which the pictures were prepared.
        invert: whether dark and light were swapped.
    """

    each: list[Answer]
    others: list[Path]
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

    def to_csv(self) -> bytes:
        """As a submission: path, label, confidence. Names of files are the bytes that they are."""
        content = io.StringIO()
        writer = csv.writer(content, lineterminator="\n")
        writer.writerow(("path", "label", "confidence"))
        for answer in self.each:
            found = answer.prediction
            writer.writerow((str(answer.picture), *(("", "") if found is None else (found.label, found.confidence))))
        return content.getvalue().encode("utf-8", "surrogateescape")


def predict(
    name: str,
    paths: Sequence[Path],
    *,
    invert: bool = False,
    as_is: bool = False,
    digits: bool = False,
    tell: Callable[[Answer], None],
) -> Answers:
    """Ask a run's model about pictures.

    Args:
        name: of the run.
        paths: pictures, and folders of them.
        invert: swap dark and light.
        as_is: only scale the pictures, even where the training images had been brought into a form.
        digits: bring them into MNIST's form, even where nothing is known of the training images' form.
        tell: called with each answer, soon after it is known.

    Raises:
        RunNotFoundError, DataNotFoundError: there is no such run or file, or no picture in a folder.
        RunError, ModelError: the run has no model that can be asked.
    """
    model = find(name).model()
    contract = needed_card(model).contract
    if as_is or digits:
        contract = replace(contract, form="mnist" if digits else None)
    found = find_pictures(paths)
    answers = []
    with threads.giving_way():
        for answer in predict_files(model, found.pictures, contract, invert=invert):
            answers.append(answer)
            tell(answer)
    return Answers(answers, found.others, contract, invert)
