"""Sitting the exam: reserve, score, complete the record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import nn

from honshi.data.images import Images, Preprocessing
from honshi.data.sealed import Sealed, unseal
from honshi.errors import RequestError
from honshi.evaluation.evaluate import evaluate
from honshi.evaluation.metrics import ClassScore
from honshi.exam.ledger import Ledger


@dataclass(frozen=True)
class ExamResult:
    """The score on a test set, as it stands in the ledger.

    Attributes:
        test_set: what the data set is called.
        n, loss, accuracy, interval, per_class: as in `Evaluation`.
        opening: how many models have sat this test set, this one included.
        first: whether this was the first; later scores were read by someone who knew earlier ones.
        recorded: when, in UTC (ISO 8601).
    """

    test_set: str
    n: int
    loss: float
    accuracy: float
    interval: tuple[float, float]
    per_class: dict[str, ClassScore]
    opening: int
    first: bool
    recorded: str

    def to_dict(self) -> dict[str, Any]:
        """What ``honshi test --json`` prints."""
        return {"split": "test", **asdict(self)}

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Self:
        score = dict(entry["score"])
        score["interval"] = tuple(score["interval"])
        score["per_class"] = {name: ClassScore(**values) for name, values in score["per_class"].items()}
        opening = entry["opening"]
        return cls(test_set=entry["test_set"], **score, opening=opening, first=opening == 1, recorded=entry["time"])


def test(model: nn.Module, sealed: Sealed, *, run: str | None = None) -> ExamResult:
    """Score a model on the sealed test set, once, on the record.

    The opening is reserved in the ledger before a single image is scored, so that one that is broken
    off counts too. The same weights get their recorded result again: that is no new opening.

    Args:
        model: trained on images of the same kind.
        sealed: ``splits.test``.
        run: where the model comes from, for the record.

    Raises:
        RequestError: this is no sealed test set.
        LedgerError: the record cannot be kept, so nothing is opened.
    """
    if not isinstance(sealed, Sealed):
        raise RequestError(
            f"The exam takes the sealed test set, splits.test, and not a {type(sealed).__name__}. "
            "honshi.evaluate() scores other images."
        )
    weights = weights_hash(model)
    ledger = Ledger.of_user()
    with ledger.locked():
        images = unseal(sealed)
        identity = images.sha256()
        mine = {"test_sha256": identity, "weights_sha256": weights}
        of_this_test = [entry for entry in ledger.entries() if entry["test_sha256"] == identity]
        of_these_weights = [entry for entry in of_this_test if entry["weights_sha256"] == weights]
        for entry in of_these_weights:
            if entry["event"] == "completed":
                return ExamResult.from_entry(entry)
        if of_these_weights:
            opening = of_these_weights[0]["opening"]  # reserved, and broken off before it was scored
        else:
            opening = 1 + sum(entry["event"] == "reserved" for entry in of_this_test)
            ledger.append("reserved", test_set=sealed.name, run=run, opening=opening, **mine)
        score = evaluate(model, _as_trained(images, model)).to_dict()
        del score["confusion"]
        entry = ledger.append("completed", test_set=sealed.name, run=run, opening=opening, **mine, score=score)
    return ExamResult.from_entry(entry)


def weights_hash(model: nn.Module) -> str:
    """A hash of every parameter and buffer of a model, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _as_trained(images: Images, model: nn.Module) -> Images:
    """The images as the model is used to see them."""
    preprocessing = getattr(model, "preprocessing", None)
    if isinstance(preprocessing, Preprocessing):
        return images.normalized_by(preprocessing.normalization)
    return images
