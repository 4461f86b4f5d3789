"""The images of a run by folds whose labels are most in doubt."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

from honshi.data.listing import TEST, TRAIN, UNLABELLED, VAL, Files, Listing
from honshi.data.sources import open_source
from honshi.errors import RequestError
from honshi.evaluation.label_doubts import Doubt, doubted
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.experiment import answered_images, splits_of
from honshi.files import not_written, write_whole
from honshi.messages import Message
from honshi.reports.mistakes import draw_doubts
from honshi.runs import Run, find, looks

_PARTS = {TRAIN: "train", VAL: "validation", TEST: "test"}


@dataclass(frozen=True)
class Doubts:
    """Labels in doubt.

    Attributes:
        run: whose models doubt them.
        data: what its data set is called.
        n: images that were looked at.
        classes: names.
        doubts: the most doubtful first.
        names: of all images, as one knows each; of data without names their numbers.
        picture: the most doubtful ones; None where it could not be drawn.
        notes: what could not be written, and what has changed in the data since.
    """

    run: Run
    data: str
    n: int
    classes: tuple[str, ...]
    doubts: list[Doubt]
    names: list[str]
    picture: Path | None
    notes: list[Message]

    @property
    def sentences(self) -> list[Message]:
        if not self.doubts:
            return [Message("Of {n:,} labels of {data} none is in doubt.", n=self.n, data=self.data)]
        return [
            Message(
                "Of {n:,} labels of {data} {count:,} are in doubt: models that had not seen the image are surer of "
                "another class. The most doubtful come first; look at each before you change it.",
                n=self.n,
                data=self.data,
                count=len(self.doubts),
            )
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": str(self.run.path),
            "n": self.n,
            "doubts": [
                {
                    "image": self.names[doubt.place],
                    "label": self.classes[doubt.label],
                    "suggested": self.classes[doubt.suggested],
                    "confidence": {"label": doubt.own, "suggested": doubt.other},
                }
                for doubt in self.doubts
            ],
        }


def labels(name: str, data: str | None = None, table: Path | None = None) -> Doubts:
    """Find the labels that are most in doubt, and draw them into the run's folder.

    The sealed test images are not looked at; in the table they have the labels that they have.

    Args:
        name: of the run, whose mock exam is by folds.
        data: where its data are now, as ``--data`` takes it; where they were, if left out.
        table: where a table of all pictures goes, to be corrected and given to ``--data``.

    Raises:
        RunNotFoundError, RunError: no such run, or its data are gone.
        RequestError: it is none by folds; the pictures are not files below the table's folder.
        WriteError: the table cannot be written.
    """
    run = find(name)
    if not run.finished or not run.manifest.by_folds:
        raise RequestError(
            "{run}: labels are doubted by models that have not learnt from them, as the folds of a training have them. "
            "Train with folds first: honshi train {recipe} --folds 5",
            run=run.path,
            recipe=quote(str(run.path / "recipe.toml")),
        )
    listing = None if table is None else _listing(run, data, table)
    splits = splits_of(run, data)
    images, places = answered_images(run, splits)
    answers = OutOfFold.read(run.path).subset(places)
    found = doubted(answers.probabilities, answers.labels)
    names = list(splits.names) if len(splits.names) == len(images) else [str(place) for place in range(len(images))]
    picture = run.path / "labels.png"
    problem = not_written(partial(draw_doubts, images, found, picture))
    looked = not_written(lambda: looks.note(splits.manifest.val_sha256, "validate", run.name))
    doubts = Doubts(
        run=run,
        data=splits.manifest.source,
        n=len(images),
        classes=images.classes,
        doubts=found,
        names=names,
        picture=picture if problem is None else None,
        notes=[note for note in (run.changes_said, problem, looked) if note is not None],
    )
    if listing is not None and table is not None:
        write_whole(table, _table(listing, doubts, table.parent))
    return doubts


def _listing(run: Run, data: str | None, table: Path) -> Listing:
    """The pictures of a run's data, where a table at that place can name them.

    Raises:
        RequestError: it cannot.
    """
    options = run.recipe.data
    found = open_source(data or options.source, columns=options.columns, group=options.group)
    if not isinstance(found, Listing) or not isinstance(found.opener, Files):
        raise RequestError(
            "{data} has no pictures that are files of their own, so a table cannot name them. What is in doubt is "
            "printed, drawn and, with --json, listed.",
            data=run.manifest.source,
        )
    root, folder = found.opener.root.resolve(), table.parent.resolve()
    if not root.is_relative_to(folder):
        raise RequestError(
            "{table}: a table names pictures by their paths from its own folder, so it has to lie in {root} or in a "
            "folder above.",
            table=table,
            root=root,
        )
    return replace(found, opener=Files(root, found.names))


def _table(listing: Listing, doubts: Doubts, folder: Path) -> bytes:
    """All pictures, those in doubt first, as ``--data`` takes a table."""
    assert isinstance(listing.opener, Files)
    root = os.path.relpath(listing.opener.root, folder.resolve())
    of_name = {doubts.names[doubt.place]: doubt for doubt in doubts.doubts}
    rank = {name: number for number, name in enumerate(of_name)}
    published = {int(part) for part in set(listing.parts.tolist())} & set(_PARTS)
    columns = ["path", "label", *(["split"] if published else []), *(["group"] if listing.groups else [])]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "suggested", "confidence_in_label", "confidence_in_suggested"])
    for place in sorted(range(len(listing)), key=lambda place: rank.get(listing.names[place], len(rank))):
        name, label = listing.names[place], int(listing.labels[place])
        row = [
            name if root == "." else f"{Path(root).as_posix()}/{name}",
            "" if label == UNLABELLED else listing.classes[label],
        ]
        if published:
            row.append(_PARTS.get(int(listing.parts[place]), ""))
        if listing.groups:
            row.append(listing.groups[place])
        doubt = of_name.get(name)
        if doubt is not None:
            row += [doubts.classes[doubt.suggested], f"{doubt.own:.3f}", f"{doubt.other:.3f}"]
        else:
            row += ["", "", ""]
        writer.writerow(row)
    return text.getvalue().encode("utf-8", "surrogateescape")
