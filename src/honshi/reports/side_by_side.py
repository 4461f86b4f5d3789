"""The pairs that are on both sides of a split, side by side: whether they are one picture, the eye decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from honshi.data.copies import Leak
from honshi.data.examples import Examples
from honshi.reports.picture import drawn, save_picture

# More would be too small to judge on one page.
MOST_PAIRS = 24
COLUMNS = 4
# Vermilion, as in the learning curves: it stands out for colour-blind readers too.
WARNING = "#D55E00"


def draw_leaks(leaks: Sequence[Leak], left: Examples, right: Examples, path: Path) -> None:
    """Draw the first 24 pairs, each left image beside its right one, to a picture whose kind the suffix tells.

    Above each pair stand the two places, the kind with its distance, and the class; both classes, in
    another colour, where they differ.

    Args:
        leaks: what ``find_leaks(left, right)`` has found, or a part of it.
        left, right: images (c, h, w), c being 1 or 3, that the places are counted in.
        path: a .png, .svg or .pdf.
    """
    shown = leaks[:MOST_PAIRS]
    rows = max(1, -(-len(shown) // COLUMNS))
    figure = Figure(figsize=(2.6 * COLUMNS, 0.6 + 1.75 * rows), layout="constrained")
    title = drawn("{leaks:,} leaks among the {images:,} images on the right", leaks=len(leaks), images=len(right))
    figure.suptitle(title + (drawn("; the first {count}", count=len(shown)) if len(shown) < len(leaks) else ""))
    grid = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for axes in grid:
        axes.set_axis_off()
    for axes, leak in zip(grid, shown, strict=False):
        pair = _side_by_side(
            *(side.gather(torch.tensor([place]))[0] for side, place in ((left, leak.left), (right, leak.right)))
        )
        axes.imshow(pair.numpy(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        classes = [left.classes[left.labels[leak.left]], right.classes[right.labels[leak.right]]]
        found = drawn(leak.kind) if leak.kind == "exact" else f"{drawn(leak.kind)}, {leak.distance:.3f}"
        axes.set_title(
            f"{leak.left} | {leak.right}: {found}\n" + " | ".join(classes if leak.labels_differ else classes[:1]),
            fontsize=7.5,
            color=WARNING if leak.labels_differ else "black",
        )
    save_picture(figure, path)


def _side_by_side(left: Tensor, right: Tensor) -> Tensor:
    """Two images (c, h, w) as one (h, 2 w + gap), or with three channels (h, 2 w + gap, 3)."""
    gap = max(1, left.shape[-1] // 14)
    pair = torch.cat([F.pad(left.cpu(), (0, gap), value=255), right.cpu()], dim=-1)
    return pair.squeeze(0) if len(pair) == 1 else pair.movedim(0, -1)
