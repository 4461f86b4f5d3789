"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from honshi.reports.picture import drawn, save_picture

# With more classes than this the counts would not be legible; the colours still are.
MOST_COUNTS = 30


def draw_confusion(matrix: Sequence[Sequence[float]], classes: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix; the shade is the part of a true class, so that rare classes show too.

    Args:
        matrix: counts (k, k); row: the true class, column: the predicted one.
        classes: their names (k).
        path: the picture; its suffix tells the kind.
    """
    counts = np.array(matrix)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    size = len(classes)
    side = min(4 + 0.35 * size, 16)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    # Errors are a few per cent: on a linear scale they would all look white.
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
    if size <= MOST_COUNTS:
        for true, predicted in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[true, predicted] > 0.4 else "black"
            axes.text(
                predicted,
                true,
                f"{round(float(counts[true, predicted]), 1):g}",
                ha="center",
                va="center",
                color=colour,
                fontsize=8,
            )
    axes.set_xticks(range(size), classes, rotation=90 if max(map(len, classes)) > 2 else 0)
    axes.set_yticks(range(size), classes)
    axes.set_xlabel(drawn("predicted"))
    axes.set_ylabel(drawn("true"))
    save_picture(figure, path)
