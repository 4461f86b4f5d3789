"""A training on colour pictures of 64 x 64, of noise: what a photograph costs, without photographs.

    python -m benchmarks.colour --precision bfloat16

Answers with one line of JSON, as `honshi train --json` has its seconds.
"""

from __future__ import annotations

import argparse
import json

import torch

import honshi
from honshi.losses import CrossEntropy

COUNT, SIZE, CLASSES = 1280, 64, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()

    torch.manual_seed(0)
    half = (0.5, 0.5, 0.5)
    images = honshi.Images(
        pixels=torch.randint(0, 256, (COUNT, 3, SIZE, SIZE), dtype=torch.uint8),
        labels=torch.randint(0, CLASSES, (COUNT,)),
        classes=tuple(map(str, range(CLASSES))),
        normalization=honshi.Normalization(mean=half, std=half),
    )
    model = honshi.models.CNN(3, classes=CLASSES)
    result = honshi.fit(
        model,
        CrossEntropy(),
        torch.optim.SGD(model.parameters(), lr=0.01),
        images,
        images.subset(range(128)),
        epochs=arguments.epochs,
        batch_size=128,
        precision=arguments.precision,
    )
    print(json.dumps({"seconds": {**result.seconds, "total": sum(result.seconds.values())}}))


if __name__ == "__main__":
    main()
