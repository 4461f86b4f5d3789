"""The images that a model is most sure of and wrong about."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from honshi.data.examples import Examples
from honshi.reports.picture import save_picture

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
    surest = wrong[confidence[wrong].argsort(descending=True)][: COLUMNS * ROWS].tolist()
    figure = Figure(figsize=(COLUMNS * 1.35, ROWS * 1.6), layout="constrained")
    for axes in figure.subplots(ROWS, COLUMNS).flat:
        axes.axis("off")
    for axes, place in zip(figure.axes, surest, strict=False):
        pixels = images.gather(torch.tensor([place]), torch.device("cpu"))[0]
        axes.imshow(pixels.permute(1, 2, 0).numpy(), cmap="gray", vmin=0, vmax=255)
        true, predicted = images.classes[int(images.labels[place])], images.classes[int(predictions[place])]
        axes.set_title(f"{true} → {predicted}\n{float(confidence[place]):.1%}", fontsize=8)
    figure.suptitle(f"{len(wrong)} mistakes among {len(images):,}: true → predicted, confidence", fontsize=10)
    save_picture(figure, path)
    return len(wrong)
