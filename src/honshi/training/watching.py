"""What is seen of a training while it goes on: in a notebook curves that grow, on a terminal a bar, elsewhere nothing.

The curves are drawn by hand as SVG: they are drawn anew after each epoch, and matplotlib takes longer than many an
epoch does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from honshi.evaluation.history import Row
from honshi.messages import said
from honshi.runtime.notebook import notebook_shell

# Of a chart, in units of SVG.
WIDTH, HEIGHT, MARGIN = 320, 150, 34
TRAINING, VALIDATION = "#0072B2", "#D55E00"

Watch = Callable[[Row], None]


@contextmanager
def watching(epochs: int, wanted: bool) -> Iterator[Watch]:
    """Within the block call what is given after each epoch.

    Args:
        epochs: how many there will be at most.
        wanted: whether anything is to be seen.
    """
    if not wanted:
        yield lambda row: None
    elif notebook_shell() is not None:
        yield _Curves(epochs)
    elif sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(said("epoch"), total=epochs)

            def note(row: Row) -> None:
                bar.update(task, completed=row.epoch, description=_line(row, epochs))

            yield note
    else:
        yield lambda row: None


def _line(row: Row, epochs: int) -> str:
    return said(
        "epoch {epoch}/{epochs}: validation loss {loss:.4f}, accuracy {accuracy:.2%}",
        epoch=row.epoch,
        epochs=epochs,
        loss=row.val_loss,
        accuracy=row.val_accuracy,
    )


class _Curves:
    """Both curves of the lecture below a cell, drawn anew after each epoch."""

    def __init__(self, epochs: int) -> None:
        from IPython.display import HTML, display

        self.epochs = epochs
        self.rows: list[Row] = []
        self.html: Any = HTML
        self.shown: Any = display(HTML(""), display_id=True)

    def __call__(self, row: Row) -> None:
        self.rows.append(row)
        charts = [
            _Chart(said("loss"), [one.train_loss for one in self.rows], [one.val_loss for one in self.rows]),
            _Chart(
                said("accuracy"), [one.train_accuracy for one in self.rows], [one.val_accuracy for one in self.rows]
            ),
        ]
        drawn = "".join(chart.svg(self.epochs) for chart in charts)
        legend = (
            f'<span style="color:{TRAINING}">- - {said("training")}</span> '
            f'<span style="color:{VALIDATION}">— {said("validation")}</span>'
        )
        self.shown.update(self.html(f"<div>{drawn}<br>{legend} · {_line(row, self.epochs)}</div>"))


@dataclass(frozen=True)
class _Chart:
    title: str
    train: Sequence[float]
    val: Sequence[float]

    def svg(self, epochs: int) -> str:
        low, high = min(*self.train, *self.val), max(*self.train, *self.val)
        span = (high - low) or 1.0

        def points(values: Sequence[float]) -> str:
            return " ".join(
                f"{MARGIN + (WIDTH - MARGIN - 8) * place / max(epochs - 1, 1):.1f},"
                f"{HEIGHT - 18 - (HEIGHT - 40) * (value - low) / span:.1f}"
                for place, value in enumerate(values)
            )

        lines = "".join(
            f'<polyline points="{points(values)}" fill="none" stroke="{colour}" stroke-width="2" {dash}/>'
            for values, colour, dash in (
                (self.train, TRAINING, 'stroke-dasharray="5 4"'),
                (self.val, VALIDATION, ""),
            )
        )
        text = 'font-size="11" fill="currentColor" font-family="sans-serif"'
        return (
            f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{self.title}">'
            f'<text x="{MARGIN}" y="13" {text} font-weight="bold">{self.title}</text>'
            f'<text x="0" y="26" {text}>{high:.3g}</text><text x="0" y="{HEIGHT - 18}" {text}>{low:.3g}</text>'
            f'<text x="{WIDTH - 8}" y="{HEIGHT - 3}" {text} text-anchor="end">{said("epoch")} {epochs}</text>'
            f"{lines}</svg>"
        )
