"""What a notebook shows of a value: HTML without scripts, its pictures within it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch

from honshi.data.examples import Examples
from honshi.messages import said
from honshi.pictures.encode import as_png
from honshi.reports import curves as drawn_curves
from honshi.reports.confusion import draw_confusion

if TYPE_CHECKING:
    from honshi.checks import Report
    from honshi.data import Images, Splits
    from honshi.evaluation.evaluate import Evaluation
    from honshi.evaluation.metrics import ClassScore
    from honshi.exam import ExamResult
    from honshi.prediction import Prediction
    from honshi.training import FitResult

# Examples of a class, classes of a row each, and the side of one in a notebook, in pixels.
EXAMPLES, MOST_CLASSES, SIDE = 8, 12, 40


def splits(value: Splits[Examples]) -> str:
    """The size of each part, and a row of training images for each class."""
    parts = [
        (said("train"), f"{len(value.train):,}"),
        (said("validation"), f"{len(value.val):,}"),
        (said("test"), said("sealed")),
    ]
    return _table([], parts) + _rows_of_classes(value.train)


def images(value: Images) -> str:
    """How many there are, and a row for each class."""
    shape = "×".join(map(str, value.shape))
    return f"<p>{said('{n:,} images {shape}', n=len(value), shape=shape)}</p>" + _rows_of_classes(value)


def history(value: FitResult) -> str:
    """The learning curves, and the best epoch."""
    if not value.history:
        return f"<p>{said('No epoch is finished.')}</p>"
    best = value.best
    sentence = said(
        "Best epoch {best} of {last}: validation loss {loss:.4f}, accuracy {accuracy:.2%}.",
        best=best.epoch,
        last=len(value.history),
        loss=best.val_loss,
        accuracy=best.val_accuracy,
    )
    return _drawn(lambda path: drawn_curves.draw(value.history, path)) + f"<p>{escape(sentence)}</p>"


def evaluation(value: Evaluation) -> str:
    """The score with its interval, each class, and what is taken for what."""
    return _score(value.accuracy, value.interval, value.n, value.loss) + (
        f'<div style="display:flex;gap:2em;flex-wrap:wrap">{_classes(value.per_class)}'
        f"{_drawn(lambda path: draw_confusion(value.confusion, tuple(value.per_class), path), width=420)}</div>"
    )


def prediction(value: Prediction) -> str:
    """The probability of each class as a bar, the most probable first."""
    order = sorted(value.probabilities.items(), key=lambda pair: -pair[1])[:MOST_CLASSES]
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="min-width:12em">'
        f'<div style="background:#0072B2;height:1em;width:{max(share * 100, 0.5):.1f}%"></div></td>'
        f'<td style="text-align:right">{share:.1%}</td></tr>'
        for name, share in order
    )
    return f"<table>{rows}</table>"


def exam_result(value: ExamResult) -> str:
    """The score beside what was expected, and what the record says."""
    expected = "" if value.expected is None else f"<p>{said('expected {accuracy:.2%}', accuracy=value.expected)}</p>"
    sentences = "".join(f"<p>{escape(str(sentence))}</p>" for sentence in [*value.sentences, value.record_sentence])
    return (
        _score(value.accuracy, value.interval, value.n, value.loss) + expected + _classes(value.per_class) + sentences
    )


def report(value: Report) -> str:
    """A line for each finding, and the layers with their shapes."""
    findings = [(said(one.level), said(one.check), one.sentence) for one in value.findings]
    layers = [
        (layer.name, layer.kind, "×".join(map(str, layer.output)), f"{layer.parameters:,}") for layer in value.layers
    ]
    heads = [said("layer"), said("kind"), said("output of an image"), said("parameters")]
    return _table([], findings) + (_table(heads, layers) if layers else "")


def _score(accuracy: float, interval: tuple[float, float], n: int, loss: float) -> str:
    sentence = said(
        "95 % interval {lower:.2%} to {upper:.2%}, n = {n:,}, loss {loss:.4f}",
        lower=interval[0],
        upper=interval[1],
        n=n,
        loss=loss,
    )
    return f'<p><b style="font-size:1.6em">{accuracy:.2%}</b> {escape(sentence)}</p>'


def _classes(per_class: Mapping[str, ClassScore]) -> str:
    rows = [
        (name, f"{one.n:,}", *("-" if ratio is None else f"{ratio:.2%}" for ratio in (one.recall, one.precision)))
        for name, one in per_class.items()
    ]
    return _table([said("class"), said("images"), said("recall"), said("precision")], rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{f'<tr>{head}</tr>' if heads else ''}{body}</table>"


def _rows_of_classes(value: Examples) -> str:
    rows = []
    for label, name in enumerate(value.classes[:MOST_CLASSES]):
        places = (value.labels == label).nonzero().flatten()[:EXAMPLES]
        pixels = value.gather(places, torch.device("cpu"))
        shown = "".join(
            f'<img src="{_png(one.permute(1, 2, 0).numpy())}" width="{SIDE}" height="{SIDE}" alt="" '
            'style="display:inline;image-rendering:pixelated;margin:1px">'
            for one in pixels
        )
        rows.append(f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{shown}</td></tr>')
    more = len(value.classes) - MOST_CLASSES
    after = f"<p>{said('and {count:,} more', count=more)}</p>" if more > 0 else ""
    return f"<table>{''.join(rows)}</table>{after}"


def _png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    """Pixels (h, w, 1) or (h, w, 3) as an address that holds them."""
    return _address(as_png(pixels))


def _drawn(draw: object, width: int = 720) -> str:
    assert callable(draw)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.png"
        draw(path)
        content = path.read_bytes()
    return f'<img src="{_address(content)}" width="{width}" alt="">'


def _address(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
