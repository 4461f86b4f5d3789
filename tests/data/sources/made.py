"""Small pictures and folders of them, for the tests of sources."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from honshi.data.listing import TEST, TRAIN, UNDIVIDED, VAL, Listing
from honshi.data.sources import Source, open_source

PARTS = {UNDIVIDED: "", TRAIN: "train", VAL: "val", TEST: "test"}


def png(value: int = 0) -> bytes:
    """A grey picture of 4 x 3 pixels of one value."""
    stream = io.BytesIO()
    Image.fromarray(np.full((3, 4), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def make(root: Path, *names: str) -> Path:
    """A folder with pictures of these names."""
    for place, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(place % 256))
    return root


def listing_of(path: Path | str, **options: object) -> Listing:
    found = open_source(str(path), **options)  # type: ignore[arg-type]
    assert not isinstance(found, Source)
    return found


def answers(listing: Listing) -> dict[str, str]:
    """The class of each picture by its name; "-" where it has none."""
    classes = (*listing.classes, "-")
    return {name: classes[label] for name, label in zip(listing.names, listing.labels, strict=True)}


def parts(listing: Listing) -> dict[str, str]:
    """The part of each picture by its name."""
    return {name: PARTS[part] for name, part in zip(listing.names, listing.parts.tolist(), strict=True)}


def said(listing: Listing) -> str:
    """All notes, a line each."""
    return "\n".join(map(str, listing.notes))
