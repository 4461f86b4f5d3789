"""A run's model for other runtimes, and the card that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from honshi.data import Examples
from honshi.errors import DataError, DataNotFoundError, LedgerError, RequestError, RunError
from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.evaluation.intervals import wilson
from honshi.exam import Ledger
from honshi.experiment import splits_of
from honshi.export import Exported, to_onnx
from honshi.files import not_written, sha256, write_whole
from honshi.messages import Message
from honshi.models import parameter_count
from honshi.models.card import needed_card
from honshi.models.graph import INPUT, OUTPUTS
from honshi.models.identity import identity_of
from honshi.models.outputs import of_each_class
from honshi.prediction.engines import OnnxRuntime, Torch
from honshi.reports.model_card import ModelCard, Sat
from honshi.runs import Run, find, looks

# Of so many validation images at most the two are compared.
COMPARED = 10_000


@dataclass(frozen=True)
class Parity:
    """How a file agrees with the model that it was made of, on images that were not made for that.

    Attributes:
        n: images that were asked about.
        same: of them, those that both take for the same class.
        difference: the largest between two logits.
    """

    n: int
    same: int
    difference: float

    @property
    def sentence(self) -> Message:
        return Message(
            "On {n:,} validation images ONNX Runtime gives the same answer for {same:,}; its logits are within "
            "{difference:.0e} of PyTorch's.",
            n=self.n,
            same=self.same,
            difference=self.difference,
        )


@dataclass(frozen=True)
class Export:
    """A model that was written and tried.

    Attributes:
        run: whose model it is.
        exported: the file and what is in it.
        parity: on the run's validation images; what kept it from being found, where they are not there any more.
        card: the file with the model card; what kept it from being written.
    """

    run: Run
    exported: Exported
    parity: Parity | Message
    card: Path | Message

    @property
    def sentences(self) -> list[Message]:
        file, classes = self.exported, len(self.exported.classes)
        channels, height, width = file.shape
        return [
            Message("{path}: {size:,} bytes, ONNX opset {opset}", path=file.path, size=file.size, opset=file.opset),
            Message(
                "input   {name}: uint8 (n, {channels}, {height}, {width}), from 0 to 255",
                name=INPUT,
                channels=channels,
                height=height,
                width=width,
            ),
            *(Message("output  {name}: float32 (n, {classes})", name=name, classes=classes) for name in OUTPUTS),
            _parity_said(self.parity, file),
            Message("Model card: {path}", path=self.card) if isinstance(self.card, Path) else self.card,
        ]

    def to_dict(self) -> dict[str, Any]:
        file = self.exported
        return {
            "run": str(self.run.path),
            "onnx": str(file.path),
            "bytes": file.size,
            "opset": file.opset,
            "input": {"name": INPUT, "type": "uint8", "shape": ["n", *file.shape]},
            "outputs": [{"name": name, "type": "float32", "shape": ["n", len(file.classes)]} for name in OUTPUTS],
            "classes": file.classes,
            "largest_difference": file.difference,
            "parity": asdict(self.parity) if isinstance(self.parity, Parity) else None,
            "card": str(self.card) if isinstance(self.card, Path) else None,
        }


def export(name: str, path: Path, data: str | None = None) -> Export:
    """Write a run's model as ONNX, ask it about the run's validation images, and write a model card beside it.

    Args:
        name: of the run.
        path: the file; the card has its name and ends in ``.md``.
        data: where the run's data are now, as ``--data`` takes it; where they were, if left out.

    Raises:
        RunNotFoundError, RunError: there is no such run, or it is not finished.
        RequestError, ModelError: as `honshi.export.to_onnx`; or the file would have the name of its card.
    """
    run = find(name)
    card_path = path.with_suffix(".md")
    if card_path == path:
        raise RequestError("{path}: that is to be the model card. Give the name of an ONNX file.", path=path)
    model = run.model()
    exported = to_onnx(model, path)
    try:
        parity: Parity | Message = _parity(model, splits_of(run, data).val, path)
    except (DataError, DataNotFoundError, RunError) as error:
        parity = Message("It was not compared on validation images: {problem}", problem=error.message)
    return Export(run, exported, parity, _written(_card(run, model, exported, parity), card_path))


def _written(card: ModelCard, path: Path) -> Path | Message:
    if path.exists():
        # Somebody may have filled in what only people can say.
        return Message(
            "Model card: {path} is there already and was left as it is. Remove it to have it written anew.", path=path
        )
    kept_from = not_written(lambda: write_whole(path, card.to_markdown().encode()))
    return path if kept_from is None else kept_from


def _parity(model: nn.Module, images: Examples, path: Path) -> Parity:
    ours = Torch(model, needed_card(model).contract.normalization)
    engine = OnnxRuntime(path.read_bytes())
    same, apart = 0, 0.0
    places = torch.arange(min(len(images), COMPARED))
    for some in places.split(BATCH_SIZE):
        pixels = images.gather(some, torch.device("cpu"))
        logits, others = (of_each_class(one.logits(pixels)) for one in (engine, ours))
        same += int((logits.argmax(1) == others.argmax(1)).sum())
        apart = max(apart, float((logits - others).abs().max()))
    return Parity(len(places), same, apart)


def _parity_said(parity: Parity | Message, exported: Exported) -> Message:
    if isinstance(parity, Parity):
        return parity.sentence
    return Message(
        "ONNX Runtime was asked about noise: its logits are within {difference:.0e} of PyTorch's.{why}",
        difference=exported.difference,
        why=Message(" {reason}", reason=parity),
    )


def _card(run: Run, model: nn.Module, exported: Exported, parity: Parity | Message) -> ModelCard:
    card, kept, manifest = needed_card(model), run.kept, run.manifest
    return ModelCard(
        run=run.name,
        file=exported.path.name,
        sha256=sha256(exported.path.read_bytes()),
        trained=run.began,
        version=run.environment.get("versions", {}).get("honshi", "?"),
        classes=card.classes,
        contract=card.contract,
        temperature=card.temperature,
        model=run.recipe.model.described(),
        parameters=parameter_count(model),
        data=manifest.source,
        train_size=manifest.train_size,
        val_size=manifest.val_size,
        accuracy=kept.val_accuracy,
        interval=wilson(round(kept.val_accuracy * manifest.val_size), manifest.val_size),
        wear=looks.describe(manifest.val_sha256, manifest.val_size, kept.val_accuracy).sentence,
        by_folds=bool(manifest.by_folds),
        parity=_parity_said(parity, exported),
        sat=_sat(identity_of(model)),
    )


def _sat(identity: str) -> Sequence[Sat] | None:
    """The exams that a model has sat; None where the ledger does not hold."""
    try:
        entries = Ledger.of_user().entries()
    except LedgerError:
        return None
    return [
        Sat(
            test_set=entry["test_set"],
            time=datetime.fromisoformat(entry["time"]).astimezone(UTC),
            opening=entry["opening"],
            n=entry["score"]["n"],
            accuracy=entry["score"]["accuracy"],
            interval=wilson(round(entry["score"]["accuracy"] * entry["score"]["n"]), entry["score"]["n"]),
            expected=entry["expected"],
            leaks=sum(entry["leaks"].values()) if entry["leaks"] else 0,
        )
        for entry in entries
        if entry["event"] == "completed" and entry["model_sha256"] == identity
    ]
