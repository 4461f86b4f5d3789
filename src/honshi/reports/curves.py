"""The lecture's learning curves: loss and accuracy against the epoch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from honshi.evaluation.history import Row, best_row
from honshi.files import write_whole

# Two colours that colour-blind readers and grey printers keep apart (Okabe and Ito, 2008).
TRAIN, VALIDATION = "#0072B2", "#D55E00"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the curves to a picture whose kind the suffix tells (png, svg, pdf)."""
    best = best_row(rows)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    _curve(loss, rows, "loss", best)
    loss.set_ylim(bottom=0)
    _curve(accuracy, rows, "accuracy", best)
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.lstrip(".") or "png", dpi=150)
    write_whole(path, picture.getvalue())


def _curve(axes: Axes, rows: Sequence[Row], quantity: str, best: Row) -> None:
    epochs = [row.epoch for row in rows]
    for part, name, colour in (("train", "training", TRAIN), ("val", "validation", VALIDATION)):
        values = [getattr(row, f"{part}_{quantity}") for row in rows]
        axes.plot(epochs, values, color=colour, marker="o", markersize=4, linewidth=1.8, label=name)
    value = getattr(best, f"val_{quantity}")
    shown = f"{value:.2%}" if quantity == "accuracy" else f"{value:.4f}"
    axes.axvline(best.epoch, color="0.6", linestyle=":", linewidth=1.2, zorder=0)
    axes.plot(
        best.epoch,
        value,
        linestyle="none",
        marker="o",
        markersize=11,
        markerfacecolor="none",
        markeredgewidth=1.8,
        color=VALIDATION,
        label=f"best epoch: {best.epoch} ({shown})",
    )
    axes.set_xlabel("epoch")
    axes.set_title(quantity, loc="left", fontweight="bold")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
