"""Sitting the exam: reserve, score, complete the record."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from honshi.data.copies import Leak, find_leaks
from honshi.data.examples import Examples
from honshi.data.sealed import Sealed, unseal
from honshi.errors import AlreadyOpenedError, RequestError
from honshi.evaluation.evaluate import evaluate
from honshi.evaluation.intervals import wilson
from honshi.evaluation.metrics import ClassScore
from honshi.exam.ledger import Ledger
from honshi.models.card import card_of

CONFIDENCE = 0.95

KINDS = ("exact", "near")

# What a reservation says, and its completion says again.
RESERVED = ("test_set", "test_sha256", "weights_sha256", "opening", "expected", "reason", "record")


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

    def to_dict(self) -> dict[str, Any]:
        """What ``honshi test --json`` prints."""
        return {"split": "test", **asdict(self)}

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], openings: int) -> Self:
        score, opening = entry["score"], entry["opening"]
        right = round(score["accuracy"] * score["n"])
        return cls(
            test_set=entry["test_set"],
            n=score["n"],
            loss=score["loss"],
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


def test(
    model: nn.Module,
    sealed: Sealed,
    *,
    expected: float | None = None,
    again: str | None = None,
    train: Examples | None = None,
    pictures: Path | None = None,
    record: Mapping[str, Any] | None = None,
) -> ExamResult:
    """Score a model on the sealed test set, once, on the record.

    The opening is reserved in the ledger before an image is shown to the model, so that one that is
    broken off counts too; the same weights complete it. Weights that have a recorded result get it
    again, which is no new opening. Other weights are refused, unless ``again`` gives a reason.

    Under torchrun only rank 0 opens; the others wait for its result.

    Args:
        model: trained on images of the same kind.
        sealed: ``splits.test``.
        expected: the accuracy within [0, 1] that you expect, recorded before the opening.
        again: why a test set that another model has sat is opened once more.
        train: the training images; the test images that are among them are counted, and the accuracy
            on the others is told too.
        pictures: a folder for a picture of these (``test-leaks.png``).
        record: what else to write down, as JSON.

    Raises:
        AlreadyOpenedError: another model has sat this test set; the message names it.
        RequestError: this is no sealed test set, or the expectation is no accuracy.
        LedgerError: the record cannot be kept, so nothing is opened.
    """
    if expected is not None and not 0 <= expected <= 1:
        raise RequestError(f"An expected accuracy lies between 0 and 1, as 0.975, and {expected} does not.")
    if torch.distributed.is_available() and _follower():
        # torchrun ends this process too if rank 0 is refused, so this does not wait for ever.
        while (result := recorded(model, sealed)) is None:
            time.sleep(0.2)
        return result
    ledger = Ledger.of_user()
    with ledger.locked():
        sitting = _Sitting.prepare(ledger, model, sealed)
        if sitting.result is not None:
            return sitting.result
        reservation = sitting.reservation
        if reservation is None:
            sitting.refuse_unless(again)
            reservation = ledger.append(
                "reserved",
                test_set=sealed.name,
                test_sha256=sitting.test_sha256,
                weights_sha256=sitting.weights_sha256,
                opening=len(sitting.reservations) + 1,
                expected=expected,
                reason=again,
                record=dict(record or {}),
            )
        images = _as_trained(sitting.images, model)
        score = evaluate(model, images).to_dict()
        leaks = None if train is None else find_leaks(train, images)
        if leaks and train is not None and pictures is not None:
            from honshi.reports.side_by_side import draw_leaks  # matplotlib takes a while to load

            draw_leaks(leaks, train, images, pictures / "test-leaks.png")
        entry = ledger.append(
            "completed",
            **{key: reservation[key] for key in RESERVED},
            score={key: score[key] for key in ("n", "loss", "accuracy", "per_class")},
            leaks=None if leaks is None else {kind: sum(leak.kind == kind for leak in leaks) for kind in KINDS},
            without_leaks=_score_without(leaks, model, images) if leaks else None,
        )
        return ExamResult.from_entry(entry, max(entry["opening"], len(sitting.reservations)))


def recorded(model: nn.Module, sealed: Sealed, *, again: str | None = None) -> ExamResult | None:
    """The result that these weights have already; None if `test` would open the test set for them.

    Raises:
        AlreadyOpenedError: `test` would refuse.
    """
    sitting = _Sitting.prepare(Ledger.of_user(), model, sealed)
    if sitting.reservation is None:
        sitting.refuse_unless(again)
    return sitting.result


@dataclass(frozen=True)
class _Sitting:
    """What the ledger says of one model and one test set.

    Attributes:
        images: of the test set, read to know which exam it is; not yet shown to the model.
        reservations, completions: of this test set, the oldest first.
        reservation: the one of these weights.
        result: what these weights have been given.
    """

    images: Examples
    test_sha256: str
    weights_sha256: str
    reservations: list[dict[str, Any]]
    completions: list[dict[str, Any]]

    @classmethod
    def prepare(cls, ledger: Ledger, model: nn.Module, sealed: Sealed) -> Self:
        if not isinstance(sealed, Sealed):
            raise RequestError(
                f"The exam takes the sealed test set, splits.test, and not a {type(sealed).__name__}. "
                "honshi.evaluate() scores other images."
            )
        images = unseal(sealed)
        exam = images.identity
        entries = [entry for entry in ledger.entries() if entry["test_sha256"] == exam]
        reservations = [entry for entry in entries if entry["event"] == "reserved"]
        completions = [entry for entry in entries if entry["event"] == "completed"]
        return cls(images, exam, weights_hash(model), reservations, completions)

    @property
    def reservation(self) -> dict[str, Any] | None:
        return self._mine(self.reservations)

    @property
    def result(self) -> ExamResult | None:
        completion = self._mine(self.completions)
        return None if completion is None else ExamResult.from_entry(completion, len(self.reservations))

    def _mine(self, entries: list[dict[str, Any]]) -> dict[str, Any] | None:
        return next((entry for entry in entries if entry["weights_sha256"] == self.weights_sha256), None)

    def refuse_unless(self, again: str | None) -> None:
        """Only the first model sits without giving a reason."""
        if not self.reservations or (again is not None and again.strip()):
            return
        last = self.reservations[-1]
        scored = next((entry for entry in self.completions if entry["opening"] == last["opening"]), None)
        when = last["time"] if scored is None else scored["time"]
        outcome = "broken off before a score" if scored is None else f"accuracy {scored['score']['accuracy']:.2%}"
        run = last["record"].get("run", "a model of the library")
        raise AlreadyOpenedError(
            f"The test set of {last['test_set']} was opened on {when} for {run} "
            f"(opening {last['opening']}, {outcome}), and this is another model. A score that is read after another "
            "one can be tuned on it. Compare models with honshi compare. If it must be, give a reason "
            f'(--again --reason "…"): it counts as opening {len(self.reservations) + 1} and its interval is widened.'
        )


def _score_without(leaks: Sequence[Leak], model: nn.Module, images: Examples) -> dict[str, Any] | None:
    """The score on the images that are no leaks; None if there are no others."""
    copies = {leak.right for leak in leaks}
    others = [place for place in range(len(images)) if place not in copies]
    if not others:
        return None
    score = evaluate(model, images.subset(others))
    return {"n": score.n, "accuracy": score.accuracy, "interval": list(score.interval)}


def _follower() -> bool:
    """Whether torchrun started this process as another than rank 0."""
    return torch.distributed.is_torchelastic_launched() and os.environ.get("RANK", "0") != "0"


def weights_hash(model: nn.Module) -> str:
    """A hash of every parameter and buffer of a model, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _as_trained(images: Examples, model: nn.Module) -> Examples:
    """The images as the model is used to see them."""
    card = card_of(model)
    return images if card is None else images.normalized_by(card.contract.normalization)
