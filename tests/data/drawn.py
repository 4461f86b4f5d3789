"""A second kind of examples: pictures that are made from their place when they are asked for, never all in memory.

As a program, under torchrun, it trains on them and writes down what came out:

python -m torch.distributed.run --nproc-per-node 2 tests/data/drawn.py FILE
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

import honshi
from honshi.data.examples import Examples
from honshi.data.manifest import Manifest, short_digests
from honshi.models import MLP
from honshi.training.distributed import joined


class Bars(Examples):
    """Noise of 10 x 10 pixels with a bright bar whose row tells the class. It has no ``pixels``."""

    def __init__(self, count: int, first: int = 0) -> None:
        self.labels = torch.arange(count) % 4
        self.classes = ("a", "b", "c", "d")
        self.normalization = honshi.Normalization(mean=(0.25,), std=(0.25,))
        self.first = first

    @property
    def shape(self) -> tuple[int, int, int]:
        return 1, 10, 10

    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        return torch.stack([self._drawn(place) for place in places.tolist()]).to(device)

    def _drawn(self, place: int) -> Tensor:
        noise = torch.Generator().manual_seed(self.first + place)
        pixels = torch.randint(120, self.shape, dtype=torch.uint8, generator=noise)
        pixels[:, 2 * int(self.labels[place]) + 1] += 100
        return pixels


def splits() -> honshi.Splits[Examples]:
    train, val, test = Bars(400), Bars(100, 1000), Bars(60, 2000)
    manifest = Manifest("bars", 0, 0.2, 400, 100, train.identity, val.identity, val_digests=short_digests(val))
    return honshi.Splits(train, val, honshi.Sealed("bars", lambda: test), manifest)


def main(file: Path) -> None:
    data = splits()
    with joined() as world:
        torch.manual_seed(0)
        model = MLP(inputs=100, hidden=(8,), classes=4)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        result = honshi.fit(
            model, torch.nn.CrossEntropyLoss(), optimizer, data.train, data.val, epochs=2, batch_size=32, world=world
        )
        if world.first:
            file.write_text(json.dumps([asdict(row) for row in result.history]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
