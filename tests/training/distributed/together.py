"""What tests of several processes run in each of them, under torchrun; the first writes down what came out.

python -m torch.distributed.run --nproc-per-node 2 tests/training/distributed/together.py FILE
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import honshi
from honshi.data import Images
from honshi.data.augment import Augmentation
from honshi.errors import ModelError, NonFiniteLossError, RequestError
from honshi.evaluation.answers import Criterion
from honshi.evaluation.history import Row
from honshi.models import CNN, MLP, Ensemble
from honshi.training import Averaging, FitResult, Stop
from honshi.training.distributed import ALONE, World, joined, shared_layers


def images(count: int, seed: int) -> Images:
    """Noise whose brightness tells the class."""
    draws = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (count,), generator=draws)
    pixels = torch.randint(100, (count, 1, 8, 8), generator=draws, dtype=torch.uint8)
    pixels += (50 * labels).to(torch.uint8).view(-1, 1, 1, 1)
    return Images(pixels=pixels, labels=labels, classes=("a", "b", "c", "d"))


# 5 mini-batches of 20 and one of a single image, of which the second of two processes gets nothing.
TRAIN, VAL = images(101, 0), images(31, 1)
# Not the class of a mini-batch of one image, whose loss would be a mean over nothing.
IGNORED = 0
# Before the processes have joined.
AVAILABLE = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def trained(
    model: nn.Module, world: World, lr: float = 0.02, criterion: Criterion | None = None, **options: Any
) -> FitResult:
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.5)
    criterion = criterion or honshi.losses.CrossEntropy()
    return honshi.fit(model, criterion, optimizer, TRAIN, VAL, epochs=3, batch_size=20, world=world, **options)


class Unused(nn.Module):
    """A network with a layer that has no part in the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(64, 4), nn.Linear(64, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.used(inputs.flatten(1))
        return logits


class Sometimes(Unused):
    """One that uses it at every second step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.steps += self.training
        logits = super().forward(inputs)
        return logits if self.steps % 2 else logits + self.unused(inputs.flatten(1))


def stopped(world: World) -> dict[str, Any]:
    """A training that the first process stops within an epoch, and that goes on."""
    folder = world.from_first(tempfile.mkdtemp() if world.first else "")
    draws: dict[str, Any] = {"augment": Augmentation(shift=0.1, mixup=0.4)}

    def model() -> MLP:
        torch.manual_seed(0)
        return MLP(64, (16,), 4, dropout=0.3)

    whole, broken, resumed = model(), model(), model()
    steps: list[int] = []

    def on_step(step: int) -> None:
        steps.append(step)
        if world.first and len(steps) == 8:
            raise Stop

    expected = trained(whole, world, **draws)
    first = trained(broken, world, on_step=on_step, checkpoint=f"{folder}/state.pt", **draws)
    second = trained(resumed, world, checkpoint=f"{folder}/state.pt", **draws)
    rows = [[{**asdict(row), "seconds": 0} for row in result.history] for result in (expected, second)]
    return {
        "steps": world.gathered(len(steps)),
        "interrupted": world.gathered(first.interrupted),
        "rows": rows,
        "fingerprints": [*fingerprints(whole, world), *fingerprints(resumed, world)],
    }


def refused(world: World, model: nn.Module) -> list[str]:
    """What each process says of a model that cannot be trained by several."""
    said = ""
    try:
        trained(model, world)
    except ModelError as error:
        said = str(error)
    return world.gathered(said)


def ended_by_an_epoch(world: World) -> list[int]:
    """How many epochs each process has trained when the first has enough after one."""

    def enough(_row: Row) -> None:
        raise Stop

    result = trained(MLP(64, (8,), 4), world, on_epoch=enough if world.first else None)
    return world.gathered(len(result.history))


def spared(world: World) -> list[bool]:
    """Whether the weights of each process are numbers after a loss that is none."""
    model = MLP(64, (8,), 4)
    with suppress(NonFiniteLossError):
        trained(model, world, lr=1e25)
    return world.gathered(all(bool(p.isfinite().all()) for p in model.parameters()))


def compared(world: World, build: Callable[[], nn.Module], **options: Callable[[], Any]) -> dict[str, Any]:
    """The same training by all processes together and by this one alone."""
    torch.manual_seed(0)
    model = build()
    alone = copy.deepcopy(model)
    together = trained(model, world, **{name: make() for name, make in options.items()})
    single = trained(alone, ALONE, **{name: make() for name, make in options.items()})
    pairs = zip(model.state_dict().values(), alone.state_dict().values(), strict=True)
    return {
        "together": [asdict(row) for row in together.history],
        "alone": [asdict(row) for row in single.history],
        "weights apart": max(float((ours.double() - theirs.double()).abs().max()) for ours, theirs in pairs),
        "fingerprints": fingerprints(model, world),
    }


def fingerprints(model: nn.Module, world: World) -> list[str]:
    """Of the weights in each process."""
    content = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    gathered = [""] * world.size
    dist.all_gather_object(gathered, hashlib.sha256(content).hexdigest())
    return gathered


def diverged(world: World) -> list[str]:
    """What each process says of a training whose loss does not stay finite."""
    said = [""] * world.size
    model = MLP(64, (8,), 4)
    try:
        trained(model, world, lr=1e25)
    except NonFiniteLossError as error:
        dist.all_gather_object(said, f"epoch {error.epoch}, step {error.step}")
    return said


def disagreed(world: World) -> list[str]:
    """How each process leaves a block in which the second one failed."""
    how = ""
    try:
        with world.agreed():
            if world.rank == 1:
                raise RequestError("no")
    except (RequestError, SystemExit) as error:
        how = f"{type(error).__name__} {error}"
    said = [""] * world.size
    dist.all_gather_object(said, how)
    return said


def settled(world: World) -> dict[str, Any]:
    """On which cores each process computes, and how gloo's own threads are scheduled."""
    threads = [path for path in Path("/proc/self/task").glob("*") if "gloo_tcp_loop" in (path / "comm").read_text()]
    found = {
        "cores": sorted(os.sched_getaffinity(0)),
        "threads": [os.sched_getscheduler(int(path.name)) for path in threads],
    }
    gathered: list[dict[str, Any]] = [{}] * world.size
    dist.all_gather_object(gathered, found)
    return {"available": AVAILABLE, "processes": gathered}


def normalised(world: World) -> dict[str, float]:
    """How far batch norm over shares is from batch norm over the whole, forward and backward."""
    apart = {}
    for name, shape, norm in (
        ("flat", (7, 3), nn.BatchNorm1d(3)),
        ("images", (7, 3, 4, 4), nn.BatchNorm2d(3)),
        ("without weights", (7, 3, 4, 4), nn.BatchNorm2d(3, affine=False, momentum=None)),
        ("one image", (1, 3, 4, 4), nn.BatchNorm2d(3)),
        ("many channels", (7, 16), nn.BatchNorm1d(16)),
        ("channels last", (7, 16, 4, 4), nn.BatchNorm2d(16)),
        ("one image, channels last", (1, 16, 4, 4), nn.BatchNorm2d(16)),
    ):
        torch.manual_seed(0)
        whole = copy.deepcopy(norm)
        inputs = 5 + 2 * torch.randn(shape)
        if "last" in name:
            inputs = inputs.to(memory_format=torch.channels_last)
        inputs.requires_grad_()
        upstream = torch.randn(shape)
        expected = whole(inputs)
        (expected_gradient,) = torch.autograd.grad((expected * upstream).sum(), inputs)
        own = world.share(len(inputs))
        share = inputs[own].detach().requires_grad_()
        with shared_layers(norm, world):
            outputs = norm(share)
        (gradient,) = torch.autograd.grad((outputs * upstream[own]).sum(), share)
        differences = [outputs - expected[own], gradient - expected_gradient[own]]
        pairs = zip(norm.buffers(), whole.buffers(), strict=True)
        differences += [ours.double() - theirs.double() for ours, theirs in pairs]
        worst = max([float(difference.abs().max()) for difference in differences if difference.numel()])
        apart[name] = -world.least(-worst)
    return apart


def main() -> None:
    with joined() as world:
        results = {
            "mlp": compared(world, lambda: MLP(64, (16,), 4)),
            "cnn": compared(world, lambda: CNN(1, (4, 8), 4)),
            "clipped and averaged": compared(
                world,
                lambda: MLP(64, (16,), 4),
                clip_grad_norm=lambda: 0.5,
                averaging=lambda: Averaging(ema=0.9),
                remeasure_train=lambda: True,
            ),
            "batch norm measured anew": compared(
                world, lambda: CNN(1, (4, 8), 4), averaging=lambda: Averaging(swa=0.5)
            ),
            "drawing": compared(
                world,
                lambda: MLP(64, (16,), 4, dropout=0.3),
                augment=lambda: Augmentation(shift=0.1, mixup=0.4),
            ),
            "ensemble": compared(world, lambda: Ensemble([CNN(1, (4,), 4) for _ in range(3)])),
            "bfloat16": compared(world, lambda: CNN(1, (4, 8), 4), precision=lambda: "bfloat16"),
            "class weights": compared(
                world, lambda: MLP(64, (16,), 4), criterion=lambda: nn.CrossEntropyLoss(torch.arange(1.0, 5.0))
            ),
            "a class left out": compared(
                world, lambda: MLP(64, (16,), 4), criterion=lambda: nn.CrossEntropyLoss(ignore_index=IGNORED)
            ),
            "smoothed": compared(
                world, lambda: MLP(64, (16,), 4), criterion=lambda: nn.CrossEntropyLoss(label_smoothing=0.1)
            ),
            "a function": compared(
                world,
                lambda: MLP(64, (16,), 4),
                criterion=lambda: lambda logits, labels: cross_entropy(logits, labels).sqrt(),
            ),
            "unused layer": compared(world, Unused),
            "now and then": refused(world, Sometimes()),
            "stopped": stopped(world),
            "ended by an epoch": ended_by_an_epoch(world),
            "spared": spared(world),
            "normalised": normalised(world),
            "settled": settled(world) if sys.platform == "linux" else None,
            "diverged": diverged(world),
            "disagreed": disagreed(world),
        }
        if world.first:
            Path(sys.argv[1]).write_text(json.dumps(results))


if __name__ == "__main__":
    main()
