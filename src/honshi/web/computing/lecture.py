"""The lecture's demonstrations, computed on the real thing when they are asked for."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from honshi.web.computing.models import opened, picture

if TYPE_CHECKING:
    from torch import Tensor, nn

    from honshi.data import Splits

BATCHES = (4, 16, 64, 256)
# Of each size so many are drawn; the mean is that of so many images.
ARROWS, MEAN = 24, 4096
# Looks at models whose last weights differ by so much of their spread; the mean over so many ways to halve the images.
PEEKS, CHANGE, HALVES = 100, 0.08, 20
# Of slow motion: steps, images of a step, and those that are shown of it.
STEPS, STEP_IMAGES, STEP_SHOWN = 40, 32, 8


def gradients() -> dict[str, Any]:
    """Gradients of single batches around that of many images, at the first weights of recipe lecture.

    They are drawn in the plane of the mean and of the direction in which those of the smallest batches differ most. A
    batch's gradient is an unbiased estimate of the mean, and its distance falls with the root of the batch's size.

    Returns:
        Of each batch size the ends of the arrows, the length of the mean's being 1, and how far in all directions
        they are from it at the root of the mean square.
    """
    import torch

    splits = _mnist()
    pixels = splits.train.gather(torch.arange(MEAN))
    labels = splits.train.labels[:MEAN]
    draws = torch.Generator().manual_seed(0)
    model, criterion = _lecture()
    inputs = splits.train.normalization(pixels)

    def gradient(places: Tensor) -> Tensor:
        model.zero_grad()
        criterion(model(inputs[places]), labels[places]).backward()
        return torch.cat([value.grad.flatten() for value in model.parameters() if value.grad is not None])

    mean = gradient(torch.arange(MEAN))
    found = {
        size: torch.stack([gradient(torch.randperm(MEAN, generator=draws)[:size]) for _ in range(ARROWS)])
        for size in BATCHES
    }
    along = mean / mean.norm()
    rest = found[BATCHES[0]] - mean
    rest = rest - (rest @ along)[:, None] * along
    across = torch.linalg.svd(rest, full_matrices=False).Vh[0]
    plane = torch.stack([along, across], 1) / mean.norm()
    return {
        str(size): {
            "ends": [[float(x), float(y)] for x, y in gradients @ plane],
            "distance": float((gradients - mean).square().sum(1).mean().sqrt() / mean.norm()),
        }
        for size, gradients in found.items()
    }


def peeks(run: str) -> dict[str, Any]:
    """A hundred looks at one half of validation: the best of so many models there, and what it has on the other half.

    The models are the run's own with its last layer changed a little at random: none is better than another but by
    luck, or hardly. What a look shows is kept where it is the best so far, as one does who tries and keeps.

    Raises:
        HonshiError: there is no such model, it has no linear layer at its end, or its data are gone.
    """
    import torch

    from honshi.evaluation.novelty import hidden

    model, splits = opened(run)
    layer = _last_linear(model)
    draws = torch.Generator().manual_seed(0)
    images = torch.arange(len(splits.val))
    inside = torch.cat([hidden(model, splits.val.gather(part)) for part in images.split(256)])
    weight, bias = layer.weight.detach(), layer.bias.detach()
    spread = CHANGE * weight.std()
    right = torch.stack(
        [
            ((inside @ (weight + spread * torch.randn(weight.shape, generator=draws)).T + bias).argmax(1))
            == splits.val.labels
            for _ in range(PEEKS)
        ]
    ).double()  # (looks, n)
    half = len(images) // 2
    looked, held = torch.zeros(PEEKS), torch.zeros(PEEKS)
    for _ in range(HALVES):
        order = torch.randperm(len(images), generator=draws)
        here, there = right[:, order[:half]].mean(1), right[:, order[half:]].mean(1)
        best, at = here.cummax(0)
        looked += best / HALVES
        held += there[at] / HALVES
    return {"looked": looked.tolist(), "held": held.tolist(), "n": half}


def dropout(run: str, place: int, probability: float) -> dict[str, Any]:
    """What a run answers for one validation image with dropout as in training, thirty times, and without it.

    Raises:
        HonshiError: there is no such model, or its data are gone.
    """
    import copy

    import torch
    from torch import nn

    from honshi.models.card import needed_card

    model, splits = opened(run)
    changed = copy.deepcopy(model).eval()
    layer = _last_linear(changed)
    # In front of the last layer, which every such network has; the run's own dropout may stand elsewhere, or be 0.
    layer.register_forward_pre_hook(lambda _, inputs: (nn.functional.dropout(inputs[0], probability, training=True),))
    place = min(max(place, 0), len(splits.val) - 1)
    pixels = splits.val.gather(torch.tensor([place]))
    normalized = needed_card(model).contract.normalization(pixels)
    with torch.no_grad():
        draws = changed(normalized.expand(30, -1, -1, -1)).softmax(1)
        without = model(normalized).softmax(1)[0]
    return {
        "classes": list(splits.val.classes),
        "label": splits.val.classes[int(splits.val.labels[place])],
        "draws": draws.tolist(),
        "without": without.tolist(),
        "image": picture(pixels[0]),
    }


def batch_norm(run: str) -> list[dict[str, Any]]:
    """What comes into each batch norm of a run and what comes out, over a batch: of some channels mean and deviation.

    Raises:
        HonshiError: there is no such model, or its data are gone.
    """
    import torch
    from torch import nn

    from honshi.models.card import needed_card
    from honshi.models.modes import evaluating
    from honshi.models.watched import watched

    found: list[dict[str, Any]] = []

    def measured(values: Tensor) -> list[list[float]]:
        flat = values.transpose(0, 1).flatten(1)[:16]
        return [[float(one.mean()), float(one.std())] for one in flat]

    def note(name: str, _layer: nn.Module, inputs: Any, output: Tensor) -> None:
        found.append({"name": name, "before": measured(inputs[0]), "after": measured(output)})

    model, splits = opened(run)
    pixels = splits.val.gather(torch.arange(min(256, len(splits.val))))
    with evaluating(model) as scored:
        norms = [
            (name, one) for name, one in scored.named_modules() if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)
        ]
        with watched(norms, note):
            scored(needed_card(model).contract.normalization(pixels))
    return found


@lru_cache(2)
def slow_motion(lr: float) -> list[dict[str, Any]]:
    """The first steps of recipe lecture's network, batch by batch: its images, their loss before the step and after.

    Args:
        lr: learning rate of SGD.
    """
    import torch

    splits = _mnist()
    model, criterion = _lecture()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    order = torch.randperm(len(splits.train), generator=torch.Generator().manual_seed(0))
    steps = []
    for number, places in enumerate(order.split(STEP_IMAGES)[:STEPS], start=1):
        pixels, labels = splits.train.gather(places), splits.train.labels[places]
        inputs = splits.train.normalization(pixels)
        logits = model(inputs)
        loss = criterion(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        length = float(torch.stack([one.grad.norm() for one in model.parameters() if one.grad is not None]).norm())
        optimizer.step()
        with torch.no_grad():
            after = model(inputs)
        steps.append(
            {
                "step": number,
                "before": float(loss.detach()),
                "after": float(criterion(after, labels)),
                "gradient": length,
                "right": [int((logits.argmax(1) == labels).sum()), int((after.argmax(1) == labels).sum())],
                "n": len(labels),
                "images": [
                    {
                        **picture(pixels[at]),
                        "label": splits.train.classes[int(labels[at])],
                        "before": float(logits.detach().softmax(1)[at, labels[at]]),
                        "after": float(after.softmax(1)[at, labels[at]]),
                    }
                    for at in range(min(STEP_SHOWN, len(labels)))
                ],
            }
        )
    return steps


def _last_linear(model: nn.Module) -> nn.Linear:
    """
    Raises:
        ModelError: it has none.
    """
    from honshi.errors import ModelError
    from honshi.evaluation.novelty import last_linear

    layer = last_linear(model)
    if layer is None:
        raise ModelError("This model has no linear layer at its end.")
    return layer


@lru_cache(1)
def _mnist() -> Splits[Any]:
    from honshi.data import load

    return load("mnist", normalize=(0.5, 0.5))


def _lecture() -> Any:
    """The lecture's network with its first weights, and its loss."""
    from torch import nn

    from honshi import models
    from honshi.runtime import seeded

    with seeded(0):
        return models.MLP(), nn.CrossEntropyLoss()
