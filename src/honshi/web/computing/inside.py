"""What goes on inside a model: what it mistakes for what, how sure it is, and what its layers make of an image."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from honshi.web.computing.models import opened, picture, stamp

if TYPE_CHECKING:
    from torch import Tensor, nn

# Images of one cell, and of the surest mistakes.
MOST_IMAGES = 24
# Filters and feature maps of a layer, and numbers of one that has no maps.
MOST_MAPS, MOST_NUMBERS = 24, 128
MOST_LAYERS = 24


def answers(run: str) -> dict[str, Any]:
    """What a run takes its validation images for; that is one look at them, counted as one.

    Raises:
        HonshiError: it has no model, or its data are gone.
    """
    return _answers(run, stamp(run))


@lru_cache(4)
def _answers(run: str, _stamp: tuple[int, int] | None) -> dict[str, Any]:
    from honshi.experiment import mock_exam
    from honshi.files import not_written
    from honshi.models.card import needed_card
    from honshi.runs import Run, looks

    model, splits = opened(run)
    _, given = mock_exam(Run(Path(run)), model, splits)
    not_written(lambda: looks.note(splits.manifest.val_sha256, "validate", Path(run).name))
    labels, probabilities = given.labels, given.probabilities
    confidence, taken = probabilities.max(1)
    classes = len(splits.val.classes)
    matrix = [[0] * classes for _ in range(classes)]
    cells: dict[str, list[int]] = {}
    order = confidence.argsort(descending=True).tolist()
    for place in order:
        true, as_what = int(labels[place]), int(taken[place])
        matrix[true][as_what] += 1
        images = cells.setdefault(f"{true},{as_what}", [])
        if len(images) < MOST_IMAGES:
            images.append(place)
    wrong = [place for place in order if labels[place] != taken[place]][:MOST_IMAGES]
    return {
        "classes": list(splits.val.classes),
        "n": len(labels),
        "accuracy": float((labels == taken).double().mean()),
        "matrix": matrix,
        "cells": cells,
        "mistakes": [
            {
                "place": place,
                "true": int(labels[place]),
                "taken": int(taken[place]),
                "confidence": float(confidence[place]),
            }
            for place in wrong
        ],
        "temperature": needed_card(model).temperature,
        "before": asdict(given.reliability(calibrated=False)),
        "after": asdict(given.reliability(calibrated=True)),
    }


def images(run: str, places: list[int]) -> list[dict[str, Any]]:
    """Some validation images of a run, as its model sees them.

    Raises:
        HonshiError: its data are gone.
    """
    import torch

    _, splits = opened(run)
    known = [place for place in places if 0 <= place < len(splits.val)]
    return [picture(one) for one in splits.val.gather(torch.tensor(known, dtype=torch.int64))] if known else []


def augmented(run: str) -> list[dict[str, Any]]:
    """A few training images, each as it is and as the run's recipe changed it, row by row; empty where it does not.

    Raises:
        HonshiError: its data are gone.
    """
    import torch

    from honshi.data import augment
    from honshi.runs import Run

    change = augment.build(Run(Path(run)).recipe.augment)
    if change is None:
        return []
    _, splits = opened(run)
    draws = torch.Generator().manual_seed(0)
    pixels = splits.train.gather(torch.arange(min(4, len(splits.train))))
    columns = [pixels, *(change(pixels.clone(), draws) for _ in range(5))]
    return [picture(column[row]) for row in range(len(pixels)) for column in columns]


def filters(run: str) -> list[dict[str, Any]]:
    """The weights of the first layer as pictures: of a model, or as far as its training is.

    Raises:
        HonshiError: there are none yet.
    """
    weights = _first_weights(Path(run))
    return [] if weights is None else [_map(weights[place]) for place in range(min(MOST_MAPS, len(weights)))]


def layers(run: str, place: int) -> list[dict[str, Any]]:
    """What each layer makes of a validation image.

    Raises:
        HonshiError: there is no such model, or its data are gone.
    """
    import torch

    from honshi.models.card import needed_card
    from honshi.models.modes import evaluating
    from honshi.models.watched import leaves, watched

    found: list[dict[str, Any]] = []

    def note(name: str, layer: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and len(found) < MOST_LAYERS:
            kind, shape = type(layer).__name__, list(output.shape[1:])
            found.append({"name": name, "kind": kind, "shape": shape, **_drawn(output[0])})

    model, splits = opened(run)
    pixels = splits.val.gather(torch.tensor([min(max(place, 0), len(splits.val) - 1)]))
    with evaluating(model) as scored, watched(leaves(scored), note):
        scored(needed_card(model).contract.normalization(pixels))
    return found


def _first_weights(run: Path) -> Tensor | None:
    """(units, h, w), or (units, h, w) of the mean over channels; None where the first layer has no such weights."""
    import torch

    from honshi.runs import Run
    from honshi.runs.sidecar import read_sidecar

    found = Run(run)
    if found.finished:
        state = found.model().state_dict()
        shape = read_sidecar(run / "model.safetensors").input_shape or (1, 28, 28)
    else:
        try:
            kept = torch.load(found.state, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError):
            return None
        state, shape = kept.get("model", {}), (1, 28, 28)
    first = next((value for value in state.values() if isinstance(value, torch.Tensor) and value.ndim in (2, 4)), None)
    if first is None:
        return None
    if first.ndim == 4:
        return first.float().mean(1)
    channels, height, width = shape
    return (
        first.float().view(-1, channels, height, width).mean(1) if first.shape[1] == channels * height * width else None
    )


def _drawn(output: Tensor) -> dict[str, Any]:
    """Feature maps (c, h, w) as pictures; numbers (d) as they are."""
    if output.ndim == 3 and output[0].numel() > 1:
        return {"maps": [_map(one) for one in output[:MOST_MAPS]]}
    return {"numbers": [round(float(number), 4) for number in output.flatten()[:MOST_NUMBERS]]}


def _map(values: Tensor) -> dict[str, Any]:
    """Numbers (h, w) as a grey picture in which 0 is the middle."""
    largest = float(values.abs().max()) or 1.0
    grey = (values / largest * 127 + 128).round().clamp(0, 255).byte()
    return picture(grey.unsqueeze(0))
