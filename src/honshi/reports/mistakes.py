"""The images that a model is most sure of and wrong about, and those whose label is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from honshi.data.examples import Examples
from honshi.evaluation.label_doubts import Doubt
from honshi.reports.picture import drawn, save_picture

COLUMNS, ROWS = 8, 4


def draw_mistakes(images: Examples, probabilities: Tensor, path: Path) -> int:
    """Draw the most confident mistakes, the surest first; return how many mistakes there are.

    Args:
        images: n of them.
        probabilities: (n, k).
        path: the picture; its suffix tells the kind.
    """
    confidence, predictions = probabilities.cpu().max(1)
    wrong = (predictions != images.labels).nonzero().flatten()
    places = wrong[confidence[wrong].argsort(descending=True)][: COLUMNS * ROWS].tolist()
    captions = [
        f"{images.classes[int(images.labels[place])]} → {images.classes[int(predictions[place])]}\n"
        f"{float(confidence[place]):.1%}"
        for place in places
    ]
    title = drawn(
        "{mistakes:,} mistakes among {images:,}: true → predicted, confidence", mistakes=len(wrong), images=len(images)
    )
    _draw(images, places, captions, title, path)
    return len(wrong)


def draw_doubts(images: Examples, doubts: Sequence[Doubt], path: Path) -> None:
    """Draw the images whose labels are in doubt, the most doubtful first.

    Args:
        images: that the places of the doubts are counted in.
        doubts: in their order.
        path: the picture; its suffix tells the kind.
    """
    shown = doubts[: COLUMNS * ROWS]
    captions = [
        f"{images.classes[doubt.label]}? {images.classes[doubt.suggested]}\n{doubt.own:.0%} : {doubt.other:.0%}"
        for doubt in shown
    ]
    title = drawn(
        "{doubts:,} labels in doubt among {images:,}: label? suggested, confidence in each",
        doubts=len(doubts),
        images=len(images),
    )
    _draw(images, [doubt.place for doubt in shown], captions, title, path)


def _draw(images: Examples, places: Sequence[int], captions: Sequence[str], title: str, path: Path) -> None:
    # The places are given: an engine that finds them would draw all 32 pictures twice.
    figure = Figure(figsize=(COLUMNS * 1.35, ROWS * 1.6))
    grid = figure.add_gridspec(ROWS, COLUMNS, left=0.01, right=0.99, bottom=0.02, top=0.86, wspace=0.1, hspace=0.45)
    for number, (place, caption) in enumerate(zip(places, captions, strict=True)):
        axes = figure.add_subplot(grid[number])
        axes.axis("off")
        pixels = images.gather(torch.tensor([place]), torch.device("cpu"))[0]
        axes.imshow(pixels.permute(1, 2, 0).numpy(), cmap="gray", vmin=0, vmax=255)
        axes.set_title(caption, fontsize=8)
    figure.suptitle(title, fontsize=10)
    save_picture(figure, path)
