"""Accuracy against the number of images that were learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from honshi.reports.curves import VALIDATION
from honshi.reports.picture import drawn, save_picture

if TYPE_CHECKING:
    from honshi.evaluation.more_images import Point


def draw_more_images(points: Sequence[Point], path: Path) -> None:
    """Draw the curve with its band of 95 % to a picture whose kind the suffix tells.

    Args:
        points: from few images to all.
        path: where to.
    """
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    images = [point.images for point in points]
    lower, upper = zip(*(point.interval for point in points), strict=True)
    axes.fill_between(images, lower, upper, color=VALIDATION, alpha=0.2, linewidth=0)
    axes.plot(images, [point.accuracy for point in points], color=VALIDATION, marker="o")
    axes.set_xscale("log")
    axes.set_xticks(images)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.set_xlabel(drawn("images learnt from"))
    axes.set_ylabel(drawn("accuracy by folds"))
    axes.grid(alpha=0.3)
    save_picture(figure, path)
