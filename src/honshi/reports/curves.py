"""The lecture's learning curves: loss and accuracy against the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from honshi.evaluation.diagnosis import Diagnosis
from honshi.evaluation.history import Row, best_row
from honshi.messages import word
from honshi.reports.picture import drawn, save_picture

# Two colours that colour-blind readers and grey printers keep apart (Okabe and Ito, 2008).
VALIDATION = "#D55E00"
PARTS = (("train", word("training"), "#0072B2"), ("val", word("validation"), VALIDATION))


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the curves to a picture whose kind the suffix tells (png, svg, pdf)."""
    save_picture(_curves(rows), path)


def draw_diagnosis(rows: Sequence[Row], diagnosis: Diagnosis, path: Path) -> None:
    """Draw the curves with the verdict above them and the place that it is about marked.

    From the epoch on since which it overfits all is shaded; where it diverged or jumped, the epoch.
    """
    figure = _curves(rows)
    figure.suptitle(drawn("{sentence}", sentence=diagnosis.sentence), fontsize=9, x=0.01, ha="left")
    if diagnosis.epoch is not None:
        start = diagnosis.epoch
        end = max(rows[-1].epoch, start) if diagnosis.verdict == "overfitting" else start + 0.5
        for axes in figure.axes:
            axes.axvspan(max(start - 0.5, 0.5), end, color="#F0E442", alpha=0.35, linewidth=0, zorder=-1)
    if diagnosis.evidence is not None:
        # A loss of a million would press everything else to the ground.
        top = 2 * diagnosis.evidence.guessing_loss
        if max(max(row.train_loss, row.val_loss) for row in rows) > top:
            figure.axes[0].set_ylim(0, top)
    save_picture(figure, path)


def _curves(rows: Sequence[Row]) -> Figure:
    best = best_row(rows)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    _curve(loss, rows, "loss", best)
    loss.set_ylim(bottom=0)
    _curve(accuracy, rows, "accuracy", best)
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    return figure


def draw_band(histories: Sequence[Sequence[Row]], path: Path) -> None:
    """Draw the curves of several seeds: their mean, and a band of one standard deviation either side.

    Where trainings stopped early, the curves end with the shortest.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    length = min(map(len, histories))
    epochs = range(1, length + 1)
    for axes, quantity in zip(figure.subplots(1, 2), (word("loss"), word("accuracy")), strict=True):
        for part, name, colour in PARTS:
            values = np.array([[getattr(row, f"{part}_{quantity}") for row in rows[:length]] for rows in histories])
            mean, deviation = values.mean(axis=0), values.std(axis=0, ddof=1)
            axes.plot(epochs, mean, color=colour, marker="o", markersize=4, linewidth=1.8, label=drawn(name))
            axes.fill_between(epochs, mean - deviation, mean + deviation, color=colour, alpha=0.2, linewidth=0)
        _dress(
            axes, drawn("{quantity}, mean ± deviation of {seeds} seeds", quantity=drawn(quantity), seeds=len(histories))
        )
    figure.axes[0].set_ylim(bottom=0)
    figure.axes[1].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    save_picture(figure, path)


def _curve(axes: Axes, rows: Sequence[Row], quantity: str, best: Row) -> None:
    epochs = [row.epoch for row in rows]
    for part, name, colour in PARTS:
        values = [getattr(row, f"{part}_{quantity}") for row in rows]
        axes.plot(epochs, values, color=colour, marker="o", markersize=4, linewidth=1.8, label=drawn(name))
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
        label=drawn("best epoch: {epoch} ({shown})", epoch=best.epoch, shown=shown),
    )
    _dress(axes, drawn(quantity))


def _dress(axes: Axes, title: str) -> None:
    axes.set_xlabel(drawn("epoch"))
    axes.set_title(title, loc="left", fontweight="bold")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
