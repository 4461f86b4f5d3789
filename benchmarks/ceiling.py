"""The ceiling: what this machine could do at most with the arithmetic of a training, and how near honshi comes.

    python -m benchmarks.ceiling
    python -m benchmarks.ceiling --repetitions 9 --json ceiling.json

Of one epoch of the lecture's training and one of recipe `cnn`, both on 60,000 images in float32: the floating-point
operations that forward and backward pass ask for (2 for each multiplication with its addition, the first layer without
a gradient for its images), the rate at which torch computes the best matrix products of the same shapes (each layer's
three products, convolutions as the products that im2col makes of them, each in both orders), the seconds that follow,
and the seconds that honshi takes. Of convolutions there is another limit: torch's own convolutions and nothing else,
with their operands in place, in both memory formats.

Beside them stand the rate of a large square product, which is the processor's own, and the memory's bandwidth with the
seconds that the least traffic of an epoch takes: each image's bytes once, and each feature and its gradient written and
read once.

honshi can be beyond the arithmetic of products: in the lecture's epoch pixels that are 0, four fifths of MNIST, are not
multiplied.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torch.nn.grad import conv2d_input, conv2d_weight

from benchmarks import machine
from benchmarks.peers import BATCH_SIZE, cnn_honshi, honshi
from benchmarks.plain_cnn import BATCH_SIZE as CNN_BATCH_SIZE
from honshi.files import write_json

IMAGES = 60_000
PIXELS = 28 * 28
SIZES = (PIXELS, 128, 64, 10)
# Channels in, channels out, height and width of each 3 x 3 convolution of recipe `cnn`.
CONVOLUTIONS = ((1, 16, 28), (16, 32, 14), (32, 64, 7))
SQUARE = 2048
# Larger than any cache.
COPIED_BYTES = 1 << 28
# So long each product is repeated before its rate is taken.
LEAST_SECONDS = 0.05


@dataclass(frozen=True)
class Product:
    """A matrix product (rows, inner) times (inner, columns)."""

    rows: int
    inner: int
    columns: int

    @property
    def operations(self) -> int:
        return 2 * self.rows * self.inner * self.columns

    def seconds(self) -> float:
        """Of the product in whichever order of its factors is quicker."""
        left, right = torch.randn(self.rows, self.inner), torch.randn(self.inner, self.columns)
        out, turned = torch.empty(self.rows, self.columns), torch.empty(self.columns, self.rows)
        right_turned, left_turned = right.t().contiguous(), left.t().contiguous()
        return min(
            seconds_of(lambda: torch.mm(left, right, out=out)),
            seconds_of(lambda: torch.mm(left, right_turned.t(), out=out)),
            seconds_of(lambda: torch.mm(left_turned.t(), right, out=out)),
            seconds_of(lambda: torch.mm(right_turned, left_turned, out=turned)),
        )


def products(inputs: int, outputs: int, rows: int, *, first: bool) -> list[Product]:
    """The products of a layer: its outputs, its weights' gradient, and its inputs' gradient unless it is the first."""
    found = [Product(rows, inputs, outputs), Product(outputs, rows, inputs)]
    return found if first else [*found, Product(rows, outputs, inputs)]


def lecture_step() -> list[Product]:
    layers = enumerate(itertools.pairwise(SIZES))
    return [one for layer, (i, o) in layers for one in products(i, o, BATCH_SIZE, first=layer == 0)]


def cnn_step() -> list[Product]:
    found = []
    for layer, (inputs, outputs, side) in enumerate(CONVOLUTIONS):
        found += products(9 * inputs, outputs, CNN_BATCH_SIZE * side * side, first=layer == 0)
    return found


def convolutions_alone(memory_format: torch.memory_format) -> float:
    """Seconds of a step's convolutions by torch, forward and backward, and nothing else."""
    seconds = 0.0
    for layer, (inputs, outputs, side) in enumerate(CONVOLUTIONS):
        images, gradient = (
            torch.randn(CNN_BATCH_SIZE, channels, side, side).contiguous(memory_format=memory_format)
            for channels in (inputs, outputs)
        )
        weight = torch.randn(outputs, inputs, 3, 3).contiguous(memory_format=memory_format)
        seconds += seconds_of(partial(conv2d, images, weight, padding=1))
        seconds += seconds_of(partial(conv2d_weight, images, weight.shape, gradient, padding=1))
        if layer > 0:
            seconds += seconds_of(partial(conv2d_input, images.shape, weight, gradient, padding=1))
    return seconds


def seconds_of(work: Callable[[], object]) -> float:
    """The median of one call, of as many as `LEAST_SECONDS` hold, three at least."""
    work()
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < LEAST_SECONDS:
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def bandwidth() -> float:
    """Bytes a second that are read and written by a copy."""
    source = torch.ones(COPIED_BYTES // 4)
    out: Tensor = torch.empty_like(source)
    return 2 * COPIED_BYTES / seconds_of(lambda: out.copy_(source))


def traffic(features: int) -> int:
    """The least bytes of an epoch: of each image its pixels, and float32 features written and read, with gradients."""
    return IMAGES * (PIXELS + 4 * 4 * features)


@dataclass(frozen=True)
class Training:
    """A training whose ceiling is measured.

    Attributes:
        steps: of an epoch.
        products: of one step.
        features: of one image, as they stand between the layers.
        prepare: what makes a function that trains an epoch.
    """

    name: str
    steps: float
    products: list[Product]
    features: int
    prepare: Callable[[], Callable[[], float]]


TRAININGS = (
    Training("lecture", IMAGES / BATCH_SIZE, lecture_step(), sum(SIZES[1:]), honshi.prepare),
    Training(
        "cnn",
        IMAGES / CNN_BATCH_SIZE,
        cnn_step(),
        # Behind each pooling, and what the two later convolutions give before it.
        sum(outputs * (side // 2) ** 2 for _, outputs, side in CONVOLUTIONS)
        + sum(outputs * side**2 for _, outputs, side in CONVOLUTIONS[1:]),
        cnn_honshi.prepare,
    ),
)


def measure(repetitions: int) -> dict[str, Any]:
    """Everything in turn, so that whatever else the machine does meets all alike."""
    epochs = {training.name: training.prepare() for training in TRAININGS}
    for epoch in epochs.values():
        epoch()
    times: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        times.setdefault(name, []).append(seconds)

    for _ in range(repetitions):
        note("square", Product(SQUARE, SQUARE, SQUARE).seconds())
        note("bandwidth", bandwidth())
        for training in TRAININGS:
            note(f"{training.name} products", training.steps * sum(one.seconds() for one in training.products))
            started = time.perf_counter()
            epochs[training.name]()
            note(f"{training.name} honshi", time.perf_counter() - started)
        for name, memory_format in (("plain", torch.contiguous_format), ("channels_last", torch.channels_last)):
            note(f"cnn convolutions, {name}", IMAGES / CNN_BATCH_SIZE * convolutions_alone(memory_format))
    median = {name: statistics.median(found) for name, found in times.items()}
    rate = Product(SQUARE, SQUARE, SQUARE).operations / median["square"]
    report: dict[str, Any] = {"square": rate, "bandwidth": median["bandwidth"], "trainings": {}}
    for training in TRAININGS:
        operations = training.steps * sum(one.operations for one in training.products)
        report["trainings"][training.name] = {
            "operations": operations,
            "products": median[f"{training.name} products"],
            "honshi": median[f"{training.name} honshi"],
            "memory": traffic(training.features) / median["bandwidth"],
            "peak": operations / rate,
        }
    report["trainings"]["cnn"]["convolutions"] = {
        name: median[f"cnn convolutions, {name}"] for name in ("plain", "channels_last")
    }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5, help="of each (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    if arguments.repetitions < 1:
        parser.error("--repetitions is at least 1")
    report = measure(arguments.repetitions)
    print(f"A product of {SQUARE} x {SQUARE}: {report['square'] / 1e9:,.0f} billion operations a second.")
    print(f"Memory: {report['bandwidth'] / 1e9:.1f} GB a second, read and written.\n")
    rows: dict[str, Callable[[dict[str, Any]], str]] = {
        "billion operations": lambda found: f"{found['operations'] / 1e9:,.1f}",
        "seconds at the rate of the large product": lambda found: f"{found['peak']:.3f}",
        "its own products alone": lambda found: f"{found['products']:.3f}",
        "torch's convolutions alone": lambda found: (
            f"{found['convolutions']['plain']:.3f}" if "convolutions" in found else "–"
        ),
        "  channels_last": lambda found: (
            f"{found['convolutions']['channels_last']:.3f}" if "convolutions" in found else "–"
        ),
        "the memory's least traffic": lambda found: f"{found['memory']:.3f}",
        "honshi": lambda found: f"{found['honshi']:.3f}",
        "honshi / its own products alone": lambda found: f"{found['honshi'] / found['products']:.2f}",
    }
    print(f"{'one epoch':<42}" + "".join(f"{name:>10}" for name in report["trainings"]))
    for name, shown in rows.items():
        print(f"{name:<42}" + "".join(f"{shown(found):>10}" for found in report["trainings"].values()))
    print(f"\nMedians of {arguments.repetitions}, in turn.\n{machine.line()}")
    if arguments.json:
        write_json(arguments.json, {"machine": machine.describe(), **report})


if __name__ == "__main__":
    main()
