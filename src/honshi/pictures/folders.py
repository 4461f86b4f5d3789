"""Which files of a folder are pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from honshi.errors import DataNotFoundError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}


def find_images(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and in the place of a folder the images below it, sorted.

    Raises:
        DataNotFoundError: there is no such file, or a folder has no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
            if not inside:
                raise DataNotFoundError(f"{path}: there is no image in this folder ({', '.join(sorted(SUFFIXES))}).")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DataNotFoundError(f"{path}: there is no such file or folder.")
    return found
