"""Sitting the exam: reserve, score, complete the record."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from honshi.data.copies import Leak, find_leaks
from honshi.data.examples import Examples
from honshi.data.fitted import brought_to
from honshi.data.sealed import Sealed, unseal
from honshi.errors import AlreadyOpenedError, HonshiError, ModelError, RequestError, WriteError
from honshi.evaluation.evaluate import Evaluation, evaluate
from honshi.exam.ledger import Ledger, Tell, to_stderr
from honshi.exam.pictures import SHARED, keep, name_of, shared
from honshi.exam.rehearsal import rehearse
from honshi.exam.result import ExamResult
from honshi.files import write_whole
from honshi.messages import Message
from honshi.models import Frozen, network_in
from honshi.models.card import card_of, unwrapped
from honshi.models.identity import identity_of

KINDS = ("exact", "near")

# About what a picture of leaks takes.
PICTURES_BYTES = 1 << 18

# What a reservation says, and its completion says again.
RESERVED = (
    "test_set",
    "test_sha256",
    "pictures_sha256",
    "weights_sha256",
    "model_sha256",
    "opening",
    "expected",
    "reason",
    "record",
)


def test(
    model: nn.Module,
    sealed: Sealed,
    *,
    expected: float | None = None,
    again: str | None = None,
    train: Examples | None = None,
    pictures: str | Path | None = None,
    record: Mapping[str, Any] | None = None,
) -> ExamResult:
    """Score a model on the sealed test set, once, on the record.

    What can fail is tried first, on pictures of noise. Then the opening is reserved in the ledger, before an image is
    shown to the model, so that one that is broken off counts too; the same model completes it. A model that has a
    recorded result gets it again: that is no new opening. Another model is refused, unless ``again`` gives a reason.

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
        RequestError: this is not a sealed test set, the expectation is not an accuracy, or another argument is not what
            it should be.
        ModelError: the model cannot be scored on it, so nothing is opened; or it failed on the test images
            themselves, which the message says.
        LedgerError: the record cannot be kept, so nothing is opened.
    """
    return prepare(model, sealed).sit(expected=expected, again=again, train=train, pictures=pictures, record=record)


def recorded(model: nn.Module, sealed: Sealed, *, again: str | None = None) -> ExamResult | None:
    """The result that a model has already; None if `test` would open the test set for it.

    Raises:
        AlreadyOpenedError: `test` would refuse.
    """
    return prepare(model, sealed).recorded(again=again)


def prepare(model: nn.Module, sealed: Sealed) -> Sitting:
    """Read a test set, to know which exam it is; it is not yet shown to the model.

    Raises:
        RequestError: this is not a model, or not a sealed test set.
    """
    if not isinstance(model, nn.Module):
        raise RequestError("The exam is sat by a model, an nn.Module, and not by a {kind}.", kind=type(model).__name__)
    if not isinstance(sealed, Sealed):
        raise RequestError(
            "The exam takes the sealed test set, splits.test, and not a {kind}. honshi.evaluate() scores other images.",
            kind=type(sealed).__name__,
        )
    images = unseal(sealed)
    if not isinstance(images, Examples):
        raise RequestError(
            "The sealed test set of {name} holds a {kind} where honshi.Images or other Examples are needed.",
            name=sealed.name,
            kind=type(images).__name__,
        )
    return Sitting(
        model, sealed.name, images, images.identity, identity_of(model), weights_hash(model), Ledger.of_user()
    )


@dataclass(frozen=True, eq=False)
class Sitting:
    """One model before one exam.

    Attributes:
        model: that is to sit it.
        test_set: what the data set is called.
        images: of the test set.
        test_sha256, model_sha256: which exam and which model.
        weights_sha256: by which the first version knew a model.
        ledger: where it is recorded.
    """

    model: nn.Module
    test_set: str
    images: Examples
    test_sha256: str
    model_sha256: str
    weights_sha256: str
    ledger: Ledger

    def recorded(self, *, again: str | None = None) -> ExamResult | None:
        """As `honshi.exam.recorded`."""
        again = _reason(again)
        past = self._past()
        if past.reservation is None:
            past.refuse_unless(again, self.ledger)
        return past.result

    def sit(
        self,
        *,
        expected: float | None = None,
        again: str | None = None,
        train: Examples | None = None,
        pictures: str | Path | None = None,
        record: Mapping[str, Any] | None = None,
        tell: Tell = to_stderr,
    ) -> ExamResult:
        """As `honshi.test`; ``tell`` is told for whom this waits, where it does."""
        expected, again, record = _accuracy(expected), _reason(again), _as_json(record)
        if torch.distributed.is_available() and _follower():
            # torchrun ends this process too if rank 0 is refused, so this does not wait for ever.
            while (result := self.recorded(again=again)) is None:
                time.sleep(0.2)
            return result
        # Who was here before has its result and waits for nobody.
        if (result := self.recorded(again=again)) is not None:
            return result
        images = self._as_trained()
        rehearse(self.model, images)
        if train is not None and not isinstance(train, Examples):
            raise RequestError(
                "The training images are honshi.Images or other Examples, and not a {kind}.", kind=type(train).__name__
            )
        if train is not None and train.shape != images.shape:
            raise RequestError(
                "The training images have the shape {train} and those of the test set {test}, so they cannot be "
                "compared: leave train out.",
                train=train.shape,
                test=images.shape,
            )
        folder = None if pictures is None else Path(pictures)
        if folder is not None:
            _check_room(folder)
        # No model sees an image here, and what is found is told with the score alone.
        leaks = None if train is None else find_leaks(train, images)
        pictures_known = {} if images.contents is None else {"pictures_sha256": name_of(images.contents)}
        if images.contents is not None:
            keep(images.contents)
        with self.ledger.locked(tell), self.ledger.reserve() as give_back:
            past = self._past()
            if past.result is not None:
                return past.result
            reservation = past.reservation
            if reservation is None:
                past.refuse_unless(again, None)
                reservation = self.ledger.append(
                    "reserved",
                    test_set=self.test_set,
                    test_sha256=self.test_sha256,
                    weights_sha256=self.weights_sha256,
                    model_sha256=self.model_sha256,
                    opening=len(past.reservations) + 1,
                    expected=expected,
                    reason=again,
                    record=record,
                    **pictures_known,
                )
            score = self._score(images, reservation).to_dict()
            completion = {
                **{key: reservation[key] for key in RESERVED if key in reservation},
                "score": {key: score[key] for key in ("n", "accuracy", "per_class")} | {"loss": _finite(score["loss"])},
                "leaks": None if leaks is None else {kind: sum(leak.kind == kind for leak in leaks) for kind in KINDS},
                "without_leaks": _score_without(leaks, self.model, images) if leaks else None,
            }
            give_back()
            entry = self.ledger.append("completed", **completion)
        result = ExamResult.from_entry(entry, max(entry["opening"], len(past.reservations)))
        if leaks and train is not None and folder is not None:
            result = replace(result, notes=_draw(leaks, train, images, folder))
        return result

    def _score(self, images: Examples, reservation: Mapping[str, Any]) -> Evaluation:
        try:
            return evaluate(self.model, images)
        # Whatever a model of the user's own raises on these pictures and did not on others.
        except Exception as error:
            raise ModelError(
                "On the test images the model raised {kind}: {problem}. Opening {opening} of this test set is "
                "recorded, and no score has been seen. The same model completes it where what failed is not in it; a "
                'mended one gives a reason (--again --reason "…").',
                kind=type(error).__name__,
                problem=error,
                opening=reservation["opening"],
            ) from error

    def _as_trained(self) -> Examples:
        """The images as the model is used to see them."""
        card = card_of(self.model)
        if card is not None and isinstance(network_in(self.model), Frozen):
            return brought_to(self.images, card.contract)  # a backbone says what it wants
        if card is None or len(card.contract.normalization.mean) not in (1, self.images.shape[0]):
            return self.images  # the rehearsal says what does not fit
        return self.images.normalized_by(card.contract.normalization)

    def _past(self) -> _Past:
        entries = [entry for entry in self.ledger.entries() if self._is_of_this_exam(entry)]
        return _Past(
            [entry for entry in entries if entry["event"] == "reserved"],
            [entry for entry in entries if entry["event"] == "completed"],
            self.test_sha256,
            self._is_mine,
        )

    def _is_of_this_exam(self, entry: Mapping[str, Any]) -> bool:
        """Whether it is of these images, or of the same pictures at another size or with some others among them."""
        if entry["test_sha256"] == self.test_sha256:
            return True
        contents, name = self.images.contents, entry.get("pictures_sha256")
        return contents is not None and isinstance(name, str) and shared(contents, name) >= SHARED

    def _is_mine(self, entry: Mapping[str, Any]) -> bool:
        if entry["test_sha256"] != self.test_sha256:
            return False  # a score on other images, though they may show the same pictures
        if "model_sha256" in entry:
            return bool(entry["model_sha256"] == self.model_sha256)
        return bool(entry["weights_sha256"] == self.weights_sha256)


@dataclass(frozen=True)
class _Past:
    """What the ledger says of one exam.

    Attributes:
        reservations, completions: the oldest first.
        test_sha256: the images that are asked about.
        is_mine: whether an entry is of the model that asks, on these images.
    """

    reservations: list[dict[str, Any]]
    completions: list[dict[str, Any]]
    test_sha256: str
    is_mine: Callable[[Mapping[str, Any]], bool]

    @property
    def reservation(self) -> dict[str, Any] | None:
        return next(filter(self.is_mine, self.reservations), None)

    @property
    def result(self) -> ExamResult | None:
        completion = next(filter(self.is_mine, self.completions), None)
        return None if completion is None else ExamResult.from_entry(completion, len(self.reservations))

    def refuse_unless(self, again: str | None, ledger: Ledger | None) -> None:
        """Only the first model sits without giving a reason.

        Args:
            again: the reason.
            ledger: of which another process may have taken hold to sit just now.
        """
        if not self.reservations or (again is not None and again.strip()):
            return
        last = self.reservations[-1]
        scored = next((entry for entry in self.completions if entry["opening"] == last["opening"]), None)
        holder = None if ledger is None else ledger.holder()
        if scored is not None:
            outcome = Message("accuracy {accuracy:.2%}", accuracy=scored["score"]["accuracy"])
        elif holder is not None:
            outcome = Message("being sat just now by {holder}", holder=holder.sentence)
        else:
            outcome = Message("broken off before a score")
        same = last["test_sha256"] == self.test_sha256
        raise AlreadyOpenedError(
            "The test set of {test_set} was opened on {when} for {run} (opening {opening}, {outcome}), and this is "
            "{other}. A score that is read after another one can be tuned on it. Compare models with honshi "
            'compare. If it must be, give a reason (--again --reason "…"): it counts as opening {next} and its '
            "interval is widened.",
            test_set=last["test_set"],
            when=last["time"] if scored is None else scored["time"],
            run=last["record"].get("run", "a model of the library"),
            opening=last["opening"],
            outcome=outcome,
            other=Message("another model")
            if same
            else Message("the same exam: its pictures, or some of them, at another size, with other labels or others"),
            next=len(self.reservations) + 1,
        )


def _accuracy(expected: Any) -> float | None:
    """An expectation, as it is recorded.

    Raises:
        RequestError: it is not an accuracy.
    """
    if expected is None:
        return None
    if not isinstance(expected, bool) and isinstance(expected, Real) and 0 <= float(expected) <= 1:
        return float(expected)
    raise RequestError(
        "An expected accuracy lies between 0 and 1, as 0.975, and {expected!r} does not.", expected=expected
    )


def _reason(again: object) -> str | None:
    """Why a test set is opened again; None where nothing is said.

    Raises:
        RequestError: it is not said in words.
    """
    if again is not None and not isinstance(again, str):
        raise RequestError(
            'The reason to open a test set again is given in words, again="…", and not as {again!r}.', again=again
        )
    return again if again is not None and again.strip() else None


def _as_json(record: object) -> dict[str, Any]:
    """What is to be recorded, as whoever reads the record will have it: keys are text there, and tuples lists.

    Raises:
        RequestError: it cannot be written as an object of JSON.
    """
    if not isinstance(record, Mapping | None):
        raise RequestError("What is to be recorded is a dict, and not a {kind}.", kind=type(record).__name__)
    try:
        return dict(json.loads(json.dumps(dict(record or {}), allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError("What is to be recorded cannot be written as JSON: {problem}.", problem=error) from error


def _check_room(pictures: Path) -> None:
    """See that there is room for pictures.

    Raises:
        WriteError: the disk is full.
    """
    probe = pictures / f".room.{os.getpid()}"
    try:
        write_whole(probe, os.urandom(PICTURES_BYTES))
        probe.unlink(missing_ok=True)
    except WriteError as error:
        # A folder that cannot be written to costs the picture, and not the exam.
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise


def _draw(leaks: Sequence[Leak], train: Examples, images: Examples, pictures: Path) -> tuple[str, ...]:
    """Draw the leaks; a picture is worth a note where it cannot be drawn, and never the score."""
    try:
        from honshi.reports.side_by_side import draw_leaks  # matplotlib takes a while to load

        draw_leaks(leaks, train, images, pictures / "test-leaks.png")
    except Exception as error:
        said = error.message if isinstance(error, HonshiError) else f"{type(error).__name__}: {error}"
        return (Message("The picture test-leaks.png was not drawn: {problem}", problem=said).english,)
    return ()


def _score_without(leaks: Sequence[Leak], model: nn.Module, images: Examples) -> dict[str, Any] | None:
    """The score on the images that are not leaks; None if there are no others."""
    copies = {leak.right for leak in leaks}
    others = [place for place in range(len(images)) if place not in copies]
    if not others:
        return None
    score = evaluate(model, images.subset(others))
    return {"n": score.n, "accuracy": score.accuracy, "interval": list(score.interval)}


def _finite(value: float) -> float | None:
    """JSON has no other numbers."""
    return value if math.isfinite(value) else None


def _follower() -> bool:
    """Whether torchrun started this process as another than rank 0."""
    return torch.distributed.is_torchelastic_launched() and os.environ.get("RANK", "0") != "0"


def weights_hash(model: nn.Module) -> str:
    """A hash of every parameter and buffer of a model, by name: how the first version knew it."""
    digest = hashlib.sha256()
    for name, tensor in sorted(unwrapped(model).state_dict().items()):
        if not isinstance(tensor, Tensor) or is_lazy(tensor) or tensor.is_meta:
            continue  # that version could not know such a model
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
