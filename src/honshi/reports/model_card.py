"""A model card in Markdown: what goes with a model wherever it is used.

Source: M. Mitchell et al., "Model cards for model reporting", FAT* 2019; as far as honshi knows it. What only people
can say stands there as a question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from honshi.messages import Message
from honshi.pictures.contract import InputContract

# So many names of classes are written out.
CLASSES_SHOWN = 100


@dataclass(frozen=True)
class Sat:
    """One opening of a sealed test set by this very model.

    Attributes:
        test_set: what it is called.
        time: of the opening, UTC.
        opening: the how many-th of this test set.
        n, accuracy, interval: what was found, the interval with 95 %.
        expected: what had been expected, where that was written down first.
        leaks: test images that are training images too.
    """

    test_set: str
    time: datetime
    opening: int
    n: int
    accuracy: float
    interval: tuple[float, float]
    expected: float | None
    leaks: int


@dataclass(frozen=True)
class ModelCard:
    """What is known of a trained model.

    Attributes:
        run: its name.
        file, sha256: of the model's file.
        trained: when it was begun, UTC.
        version: honshi's.
        classes: in the order of the outputs.
        contract: what a picture must become.
        temperature: of the probabilities.
        model: in a word, as a recipe says it.
        parameters: learnable numbers.
        data: what its data set is called.
        train_size: images that it has learnt from.
        val_size: images that it was chosen on; the same ones where that was by folds.
        accuracy, interval: on those, the interval with 95 %.
        wear: how often they were looked at.
        by_folds: whether each of the images was scored by models that had not seen it.
        parity: how the exported file agrees with the model.
        sat: the openings of sealed test sets by this model; None where the ledger cannot be read.
    """

    run: str
    file: str
    sha256: str
    trained: datetime
    version: str
    classes: tuple[str, ...]
    contract: InputContract
    temperature: float
    model: str
    parameters: int
    data: str
    train_size: int
    val_size: int
    accuracy: float
    interval: tuple[float, float]
    wear: Message
    by_folds: bool
    parity: Message
    sat: Sequence[Sat] | None

    def to_markdown(self) -> str:
        return "\n".join(str(line) for line in self._lines()) + "\n"

    def _lines(self) -> Iterator[Message | str]:
        yield f"# {self.run}"
        yield ""
        yield Message(
            "A classifier of images into {count:,} classes, trained with honshi {version} on {time:%Y-%m-%d}. This "
            "card was written with the file `{file}` (SHA-256 `{sha256}`).",
            count=len(self.classes),
            version=self.version,
            time=self.trained,
            file=self.file,
            sha256=self.sha256,
        )
        yield from ("", Message("## The model"), "")
        yield Message("- {model}, {parameters:,} parameters", model=self.model, parameters=self.parameters)
        shown = ", ".join(map(_code, self.classes[:CLASSES_SHOWN]))
        more = len(self.classes) - CLASSES_SHOWN
        yield Message("- Classes, in the order of the outputs: {names}", names=shown + (", …" if more > 0 else ""))
        yield from self._input()
        yield Message(
            "- Probabilities are the softmax of the logits by the temperature {temperature:.4f}, which was fitted on "
            "the validation images.",
            temperature=self.temperature,
        )
        yield f"- {self.parity}"
        yield from ("", Message("## What it has learnt from"), "")
        yield Message("- {data}: {count:,} images for training", data=self.data, count=self.train_size)
        yield Message("- Who made these images, of what, under which licence? *(to be filled in)*")
        yield from ("", Message("## How well it does"), "")
        yield from self._scores()
        yield from ("", Message("## What it is not for"), "")
        yield Message(
            "- It answers with one of its classes whatever it is shown, also to pictures of something else. The scores "
            "hold for pictures that were made as those of its data were."
        )
        yield Message(
            "- What is it for, who may be harmed by its mistakes, and what was not tried? *(to be filled in)*"
        )

    def _input(self) -> Iterator[Message]:
        channels, height, width = self.contract.shape
        yield Message(
            "- Input: {colours} images of {width} x {height} pixels, as bytes from 0 to 255; the graph normalises them",
            colours=Message("grey") if channels == 1 else Message("colour"),
            width=width,
            height=height,
        )
        match self.contract.fit:
            case "pad":
                yield Message(
                    "- Another size is scaled until it fits in, and centred on a canvas of its border's colour."
                )
            case "crop":
                yield Message("- Another size is scaled until it covers, and cut to its centre.")
            case "stretch":
                yield Message("- Another size is scaled, whatever becomes of its proportions.")
        if self.contract.form == "mnist":
            yield Message(
                "- Digits are in MNIST's form: light on dark, in a box of 20 pixels, the centre of mass in the middle. "
                "`honshi.prediction.prepare` brings others into it."
            )

    def _scores(self) -> Iterator[Message | str]:
        yield Message("| | images | accuracy | 95 % interval |")
        yield "|---|---|---|---|"
        by = Message("validation, by folds") if self.by_folds else Message("validation (the mock exam)")
        yield _row(by, self.val_size, self.accuracy, self.interval)
        for sat in self.sat or ():
            opening = Message("exam on {test_set}, opening {opening}", test_set=sat.test_set, opening=sat.opening)
            yield _row(opening, sat.n, sat.accuracy, sat.interval)
        yield ""
        yield f"- {self.wear}"
        if self.sat is None:
            yield Message("- Whether it has sat an exam is not known: the ledger could not be read.")
        elif not self.sat:
            yield Message("- It has sat no exam: no score on images that nobody chose anything by.")
        for sat in self.sat or ():
            yield Message(
                "- The sealed test set {test_set} was opened for it on {time:%Y-%m-%d}, as opening {opening}; expected "
                "was {expected}; {leaks:,} of its images are among those for training.",
                test_set=sat.test_set,
                time=sat.time,
                opening=sat.opening,
                expected=f"{sat.expected:.2%}"
                if sat.expected is not None
                else Message("nothing that was written down"),
                leaks=sat.leaks,
            )


def _row(what: Message, n: int, accuracy: float, interval: tuple[float, float]) -> str:
    lower, upper = interval
    return f"| {what} | {n:,} | {accuracy:.2%} | {lower:.2%} – {upper:.2%} |"


def _code(text: str) -> str:
    """As code, on one line, whatever is in it."""
    plain = " ".join(text.split())
    return f"`` {plain} ``" if "`" in plain else f"`{plain}`"
