"""Folders of small drawn pictures, as someone's own: grey PNG, colour JPEG, Japanese names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("丸", "四角")


def draw(path: Path, number: int, label: str) -> None:
    """A disc or a square in noise of its own; every third one in colour."""
    random = np.random.default_rng(number)
    width, height = (int(side) for side in random.integers(24, 40, 2))
    mode, ink = (
        ("RGB", (int(random.integers(120, 255)), 60, 90)) if number % 3 == 0 else ("L", int(random.integers(120, 255)))
    )
    picture = Image.fromarray(random.integers(0, 60, (height, width) + ((3,) if mode == "RGB" else ()), dtype=np.uint8))
    left, top = int(random.integers(1, width - 16)), int(random.integers(1, height - 16))
    box = (left, top, left + 14, top + 14)
    pen = ImageDraw.Draw(picture)
    if label == CLASSES[0]:
        pen.ellipse(box, fill=ink)
    else:
        pen.rectangle(box, fill=ink)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def class_folders(root: Path, numbers: Iterable[int]) -> None:
    """A picture for each number, in the folder of its class."""
    for number in numbers:
        label = CLASSES[number % 2]
        draw(root / label / f"{label}{number:03}{'.JPG' if number % 3 == 0 else '.png'}", number, label)
