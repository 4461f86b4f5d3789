"""The network of recipe `cnn` and its training as a user of PyTorch writes them.

    python -m benchmarks.plain_cnn cnn --images 6000
    python -m benchmarks.plain_cnn mlp --images 6000

As a command it trains two epochs on part of MNIST and prints their seconds; `mlp` is that of recipe `mlp`.

Shapes: n images; b of them in a batch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks import mnist

BATCH_SIZE = 128
LEARNING_RATE, WEIGHT_DECAY = 0.01, 0.02


def network(channels: int = 1, widths: Sequence[int] = (16, 32, 64), classes: int = 10) -> nn.Sequential:
    """Images (b, channels, h, w) to logits (b, classes)."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def perceptron() -> nn.Sequential:
    """The network of recipe `mlp`: images (b, 1, 28, 28) to logits (b, 10)."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in ((784, 512), (512, 256)):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(256, 10))


def images(count: int | None = None) -> tuple[Tensor, Tensor]:
    """The first training images, float32 (n, 1, 28, 28), and their labels, int64 (n,)."""
    pixels, labels = mnist.training_set()
    inputs = torch.from_numpy(mnist.normalized(pixels[:count])).view(-1, 1, 28, 28)
    return inputs, torch.from_numpy(labels[:count])


def training(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    batch_size: int = BATCH_SIZE,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Callable[[], float]:
    """A function that trains a model for an epoch and returns its mean training loss."""
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def epoch() -> float:
        model.train()
        loss_sum = 0.0
        for places in torch.randperm(len(labels)).split(batch_size):
            optimizer.zero_grad()
            loss = criterion(model(inputs[places].contiguous(memory_format=memory_format)), labels[places])
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(places)
        return loss_sum / len(labels)

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=("cnn", "mlp"))
    parser.add_argument("--images", type=int, default=12_000, help="of MNIST's training images (default: 12000)")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model, batch_size = (network(), BATCH_SIZE) if arguments.network == "cnn" else (perceptron(), 256)
    epoch = training(model, *images(arguments.images), batch_size)
    started = time.perf_counter()
    epoch()
    epoch()
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
