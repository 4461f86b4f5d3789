"""Folders of pictures to be read, and listings of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from honshi.data.listing import UNDIVIDED, Files, Listing
from honshi.messages import Message

CLASSES = ("cat", "dog")


def draw(root: Path, count: int = 6, *, size: tuple[int, int] = (9, 8), mode: str = "RGB") -> Path:
    """Pictures of noise, half of each class, of some width and height; changed long ago."""
    random = np.random.default_rng(0)
    for place in range(count):
        path = root / CLASSES[place % 2] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(noise).convert(mode).save(path)
        age(path)
    return root


def age(path: Path, seconds: int = 3600) -> None:
    """Have a file be changed that long ago, and a moment later than it says now."""
    import os
    import time

    changed = time.time_ns() - seconds * 1_000_000_000
    os.utime(path, ns=(changed, changed))


def listed(root: Path, classes: tuple[str, ...] = CLASSES) -> Listing:
    """What lies in class folders, as a source would list it."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    stats = [(root / name).stat() for name in names]
    return Listing(
        name=str(root),
        title=root.name,
        kind=Message("a folder of class folders"),
        names=names,
        labels=np.array([classes.index(name.split("/")[0]) for name in names], dtype=np.int32),
        classes=classes,
        parts=np.full(len(names), UNDIVIDED, dtype=np.int8),
        stamps=np.array([(stat.st_size, stat.st_mtime_ns) for stat in stats], dtype=np.int64).reshape(-1, 2),
        opener=Files(root, names),
    )
