"""The learning-rate range test: smoothed loss against the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from honshi.reports.curves import PARTS, VALIDATION
from honshi.reports.picture import drawn, save_picture


def draw_lr_range(
    lrs: Sequence[float], losses: Sequence[float], lr: float, suggestion: float | None, path: Path
) -> None:
    """Draw the losses of a range test, with the learning rate that is set and the one that is suggested."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(lrs, losses, color=PARTS[0][2], linewidth=1.8)
    axes.set_xscale("log")
    axes.axvline(lr, color="0.5", linestyle=":", linewidth=1.5, label=drawn("as set: {lr:g}", lr=lr))
    if suggestion is not None:
        axes.axvline(suggestion, color=VALIDATION, linewidth=1.5, label=drawn("suggestion: {lr:g}", lr=suggestion))
    axes.set_xlabel(drawn("learning rate"))
    axes.set_title(drawn("training loss, smoothed"), loc="left", fontweight="bold")
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    save_picture(figure, path)
