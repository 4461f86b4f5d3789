"""The score on a test set, as it stands in the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from honshi.evaluation.intervals import wilson
from honshi.evaluation.metrics import ClassScore
from honshi.messages import Message

CONFIDENCE = 0.95


@dataclass(frozen=True)
class ExamResult:
    """The score on a test set, as it stands in the ledger.

    Attributes:
        test_set: what the data set is called.
        n, loss, accuracy, interval, per_class: as in `Evaluation`.
        opening: which model this was to sit the test set, from 1.
        openings: how many have sat it until now.
        first: whether this was the first; who read a later score knew earlier ones.
        simultaneous_interval: an interval wide enough to hold for all openings together (Bonferroni);
            where there was only one, the ordinary interval.
        expected: the accuracy that was expected before, if someone said so.
        reason: why it was opened again.
        recorded: when, in UTC (ISO 8601).
        leaks: how many test images are among the training images, by kind; None if nobody looked.
        without_leaks: n, accuracy and interval on the other images; None where there are no leaks.
        record: what else was written down: run, recipe, validation, looks.
        notes: what could not be done beside the score.
    """

    test_set: str
    n: int
    loss: float
    accuracy: float
    interval: tuple[float, float]
    per_class: dict[str, ClassScore]
    opening: int
    openings: int
    first: bool
    simultaneous_interval: tuple[float, float]
    expected: float | None
    reason: str | None
    recorded: str
    leaks: dict[str, int] | None
    without_leaks: dict[str, Any] | None
    record: dict[str, Any]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What ``honshi test --json`` prints."""
        return {"split": "test", **asdict(self)}

    @property
    def sentences(self) -> list[Message]:
        """What there is to say beside the numbers, and what could not be done."""
        said = []
        if self.openings > 1:
            lower, upper = self.simultaneous_interval
            said.append(
                Message(
                    "Opening {opening} of {openings} of this test set; for all of them together to hold, the interval "
                    "is {lower:.2%} to {upper:.2%} (Bonferroni over {openings}).",
                    opening=self.opening,
                    openings=self.openings,
                    lower=lower,
                    upper=upper,
                )
            )
        if self.without_leaks is not None and self.leaks is not None:
            lower, upper = self.without_leaks["interval"]
            said.append(
                Message(
                    "{n} test images are among the training images too ({exact} exactly, {near} nearly: "
                    "test-leaks.png). On the others the accuracy is {accuracy:.2%} ({lower:.2%} to {upper:.2%}, "
                    "n = {others:,}).",
                    n=sum(self.leaks.values()),
                    exact=self.leaks["exact"],
                    near=self.leaks["near"],
                    accuracy=self.without_leaks["accuracy"],
                    lower=lower,
                    upper=upper,
                    others=self.without_leaks["n"],
                )
            )
        elif self.leaks is not None:
            said.append(Message("No test image is among the training images."))
        return said + [Message("{note}", note=note) for note in self.notes]

    @property
    def record_sentence(self) -> Message:
        """Which opening it was, and when it was recorded."""
        reason = Message(" Reason given: {reason}", reason=self.reason) if self.reason else ""
        return Message(
            "Opening {opening} of the test set of {test_set}, recorded {recorded}.{reason}",
            opening=self.opening,
            test_set=self.test_set,
            recorded=self.recorded,
            reason=reason,
        )

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], openings: int) -> Self:
        score, opening = entry["score"], entry["opening"]
        right = round(score["accuracy"] * score["n"])
        return cls(
            test_set=entry["test_set"],
            n=score["n"],
            loss=math.nan if score["loss"] is None else score["loss"],
            accuracy=score["accuracy"],
            interval=wilson(right, score["n"], CONFIDENCE),
            per_class={name: ClassScore(**values) for name, values in score["per_class"].items()},
            opening=opening,
            openings=openings,
            first=opening == 1,
            simultaneous_interval=wilson(right, score["n"], 1 - (1 - CONFIDENCE) / openings),
            expected=entry["expected"],
            reason=entry["reason"],
            recorded=entry["time"],
            leaks=entry["leaks"],
            without_leaks=entry["without_leaks"],
            record=entry["record"],
        )
