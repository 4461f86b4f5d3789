"""Whether what a saved model says of itself is borne out by its weights.

A number in its description may be anything, and some are sizes of what is allocated: each has a bound, and the network
is put together without memory for its weights before it is made.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from honshi.errors import HonshiError, ModelError
from honshi.models import TTA, parameter_count
from honshi.models.architecture import from_architecture
from honshi.models.card import Card
from honshi.runs.sidecar import Sidecar, shapes_of

# A number in an architecture that no weight bears out, as a shift in pixels.
LARGEST_PLAIN = 4096
# Numbers in an image that a network may simply be tried on: three channels of 320 x 320.
LARGEST_TRIED = 3 * 320 * 320


def check_network(sidecar: Sidecar, path: Path) -> None:
    """See that the network of a sidecar is the one that the weights in ``path`` belong to, before either is loaded.

    Raises:
        ModelError: it is not; or it is none of honshi's own.
    """
    try:
        shapes = shapes_of(path)
        _check_sizes(sidecar.architecture, shapes)
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers without weights, which no file has
            weights = {name: torch.empty(shape) for name, shape in shapes.items()}
            model = from_architecture(sidecar.architecture, str(path), weights).eval()
            if parameter_count(model) != sidecar.parameters:
                raise ValueError(f"the model has {parameter_count(model):,} parameters, not {sidecar.parameters:,}")
            if sidecar.card is not None:
                _check_answers(model, sidecar.card)
    except ModelError:
        raise
    except (
        HonshiError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
    ) as error:
        first_line = " ".join(str(error).split())
        raise ModelError(
            "{path}: this is not the description of a model: {problem}.",
            path=path.with_suffix(".json"),
            problem=first_line if isinstance(error, HonshiError) else f"{type(error).__name__}: {first_line}",
        ) from error


def _check_sizes(architecture: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> None:
    """Whether each number in an architecture is one that could belong to these weights."""
    largest = max((size for shape in shapes.values() for size in shape), default=0)

    def check(name: str, value: Any) -> None:
        match value:
            case dict():
                for key, part in value.items():
                    check(key, part)
            case list():
                # A number of layers, and not their size.
                if len(value) > len(shapes) or (name == "residual" and sum(value) > len(shapes)):
                    raise ValueError(f"{name} has more layers than there are weights")
                for part in value:
                    check(name, part)
            case float() if not math.isfinite(value):
                raise ValueError(f"{name} is {value}")
            case int() if not 0 <= value <= max(largest, LARGEST_PLAIN):
                raise ValueError(f"{name} is {value}, and no weights are so large")
            case str() | float() | int() | None:
                pass

    check("architecture", architecture)


def _check_answers(model: nn.Module, card: Card) -> None:
    shape, classes = card.contract.shape, len(card.classes)
    shift = max((layer.shift for layer in model.modules() if isinstance(layer, TTA)), default=0)
    if shift >= min(shape[1:]):
        raise ValueError(f"images of {shape[1]} x {shape[2]} cannot be shifted by {shift}")
    device = torch.device("meta")
    # torch takes a second to prepare for tensors without memory; where little is needed there is some.
    if math.prod(shape) <= LARGEST_TRIED:
        device = torch.device("cpu")
        nothing = {name: torch.zeros(weights.shape, device=device) for name, weights in model.state_dict().items()}
        model.load_state_dict(nothing, assign=True)
    with torch.no_grad():
        answer = model(torch.zeros(1, *shape, device=device))
    if tuple(answer.shape) != (1, classes):
        raise ValueError(f"an image of {shape} becomes {tuple(answer.shape)}, and there are {classes} classes")
