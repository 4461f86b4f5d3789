"""Confidence against accuracy, before and after calibration."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from honshi.evaluation.calibration import BINS, Reliability
from honshi.messages import word
from honshi.reports.picture import drawn, save_picture

BEFORE, AFTER = "#999999", "#0072B2"


def draw_reliability(before: Reliability, after: Reliability, temperature: float, path: Path) -> None:
    """Draw the reliability diagram; a calibrated model lies on the diagonal.

    Args:
        before: with the logits as they are.
        after: with the logits divided by ``temperature``.
        path: the picture; its suffix tells the kind.
    """
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    diagram, histogram = figure.subplots(1, 2)
    diagram.plot([0, 1], [0, 1], color="0.7", linestyle=":")
    for measured, name, colour in ((before, word("before"), BEFORE), (after, word("after"), AFTER)):
        filled = [place for place in range(BINS) if measured.counts[place]]
        diagram.plot(
            [measured.confidence[place] for place in filled],
            [measured.accuracy[place] for place in filled],
            marker="o",
            markersize=4,
            color=colour,
            label=drawn("{name}: expected calibration error {error:.2%}", name=drawn(name), error=measured.error),
        )
    diagram.set_xlabel(drawn("confidence"))
    diagram.set_ylabel(drawn("accuracy"))
    diagram.legend(frameon=False, loc="upper left", fontsize=8)
    diagram.set_title(drawn("temperature {temperature:.3f}", temperature=temperature), loc="left", fontsize=10)
    width = 0.4 / BINS
    for shift, measured, colour in ((-width / 2, before, BEFORE), (width / 2, after, AFTER)):
        centres = [(place + 0.5) / BINS + shift for place in range(BINS)]
        histogram.bar(centres, measured.counts, width=width, color=colour)
    histogram.set_yscale("symlog", linthresh=1)
    histogram.set_xlabel(drawn("confidence"))
    histogram.set_ylabel(drawn("images"))
    save_picture(figure, path)
