"""How every report becomes a file."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from honshi.files import write_whole


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all; the suffix tells the kind (png, svg, pdf)."""
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.lstrip(".") or "png", dpi=150)
    write_whole(path, picture.getvalue())
