"""MNIST's form: how its makers brought digits into 28×28 pixels, and how any picture of one is brought into it.

A digit is light on dark, fits in a box of 20×20 pixels, and has its centre of mass in the middle of the picture
(LeCun et al., "Gradient-based learning applied to document recognition", 1998). What a network has learnt from such
pictures it recognises in such pictures alone; a digit on paper, photographed, is dark on light, of any size and
anywhere.

Shapes: h rows, w columns of a picture; ink, float32 (h, w), is 0 where paper is and 1 where the pen went.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

SIZE, BOX = 28, 20
FORM_SHAPE = (1, SIZE, SIZE)
# What the pen's width may be after scaling, in pixels: MNIST's own is 2 to 4.
THINNEST, THICKEST = 2.2, 4.5
# The longer side on which ink is looked for; a digit that fills less than a third of it is looked at more closely.
LOOKED_AT = 320
# Cells of the grid on which pieces are told apart, on the longer side.
CELLS = 80
# Ink that is worth a digit: how much of the paper's light it must take.
FAINTEST = 0.06

Ink: TypeAlias = NDArray[np.float32]
N = TypeVar("N", np.float32, np.int64)


def has_form(pixels: Tensor) -> bool:
    """Whether training images, uint8 (n, c, h, w), have been brought into this form; some of them will do."""
    if pixels.shape[1:] != FORM_SHAPE or not len(pixels):
        return False
    images = pixels[:, 0].cpu().numpy()  # (n, 28, 28)
    return float(np.mean([_is_in_form(image, dark=0, smallest=BOX - 1, apart=0.75) for image in images])) > 0.98


def in_form(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture, uint8 (c, h, w), is in this form, though JPEG or an augmentation may have left traces."""
    if pixels.shape != FORM_SHAPE:
        return False
    return _is_in_form(pixels[0], dark=80, smallest=BOX - 5, apart=1.5)


def _is_in_form(image: NDArray[np.uint8], *, dark: int, smallest: int, apart: float) -> bool:
    """Whether it is dark around a digit that is as large as the box and has its centre of mass in the middle.

    Args:
        image: uint8 (28, 28).
        dark: what is darker than this, or as dark, is taken for black.
        smallest: of the digit's longer side.
        apart: how far from the middle the centre of mass may lie.
    """
    digit = np.where(image > dark, image, 0)
    rows, columns = (np.flatnonzero(digit.any(axis)) for axis in (1, 0))
    if not len(rows) or not smallest <= max(np.ptp(rows), np.ptp(columns)) + 1 <= BOX:
        return False
    return all(abs(centre - SIZE / 2) < apart for centre in _centre_of_mass(digit))


def _centre_of_mass(image: NDArray[np.uint8] | Ink) -> tuple[float, float]:
    """Row and column, of pixels that are counted from 0."""
    values = image.astype(np.float64)  # (h, w)
    height, width = values.shape
    total = values.sum()
    return float(values.sum(1) @ np.arange(height) / total), float(values.sum(0) @ np.arange(width) / total)


def bring_into_form(picture: Image.Image) -> NDArray[np.uint8] | None:
    """A grey picture of a digit as MNIST would hold it, uint8 (28, 28); None where nothing is drawn in it."""
    if picture.size == (SIZE, SIZE) and in_form(inverted := 255 - np.array(picture)[None]):
        return np.asarray(inverted[0])
    ink = _ink(picture)
    if ink is None:
        return None
    top, bottom, left, right = _box(ink)
    extent = max(bottom - top, right - left)
    if extent * 3 < max(ink.shape) < max(picture.size):
        # It is small in a large picture, which has more to show of it than was looked at.
        scale = max(picture.size) / max(ink.shape)
        sides = [
            side * scale for side in (left - extent / 2, top - extent / 2, right + extent / 2, bottom + extent / 2)
        ]
        closer = _ink(picture.crop(_within(picture, sides)))
        ink = ink if closer is None else closer
    return _placed(_with_pen_of_usual_width(ink))


def _within(picture: Image.Image, sides: list[float]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (int(side) for side in sides)
    return max(left, 0), max(top, 0), min(right + 1, picture.width), min(bottom + 1, picture.height)


def _ink(picture: Image.Image) -> Ink | None:
    """What was drawn, apart from the paper and the light on it; None where that is nothing."""
    from PIL import Image  # a training measures the form of its images and does without

    shrunk = picture.copy()
    shrunk.thumbnail((LOOKED_AT, LOOKED_AT), Image.Resampling.BOX)
    light: Ink = np.asarray(shrunk, np.float32) / np.float32(255)
    light = _blurred(light, max(shrunk.size) // 160)
    if _is_light_on_dark(light):
        light = 1 - light
    # Paper is what remains where all that is narrower than a pen's line is filled from its sides. The first look takes
    # even the thickest line for one; it tells how wide this one is, so that less of a shadow's edge is taken for ink.
    reach = max(3, max(light.shape) // 3)
    while True:
        paper = -_largest_around(-_largest_around(light, reach), reach)
        # The part of the light that is missing does not depend on shadows.
        missing = 1 - (light + 0.02) / (paper + 0.02)
        missing = (missing - _lines(missing) - _lines(missing.T).T).clip(0)
        drawn = missing > _otsu(missing)
        full = float(np.median(missing[drawn])) if drawn.any() else 0.0
        if full < FAINTEST:
            return None
        ink = ((missing - 0.3 * full) / (0.6 * full)).clip(0, 1)
        ink *= _belongs(drawn)
        narrower = int(1.5 * _pen_width(ink)) + 3
        if narrower > 0.8 * reach:
            return ink.astype(np.float32)
        reach = narrower


def _is_light_on_dark(light: Ink) -> bool:
    """Whether what stands out from the paper is lighter than it; the paper is what surrounds the rest."""
    light = light[::4, ::4] if min(light.shape) >= 4 * CELLS // 2 else light
    rows, columns = (axis.ravel() for axis in np.mgrid[-1 : 1 : light.shape[0] * 1j, -1 : 1 : light.shape[1] * 1j])
    # Light that falls from a side, or less of it in the corners.
    terms = np.stack([np.ones_like(rows), rows, columns, rows * columns, rows**2, columns**2], 1)  # (pixels, 6)
    around = np.flatnonzero(np.maximum(abs(rows), abs(columns)) > 0.85)
    for _ in range(3):
        coefficients = np.linalg.lstsq(terms[around], light.ravel()[around], rcond=None)[0]
        beside = light.ravel() - terms @ coefficients  # (pixels,)
        spread = abs(beside[around])
        around = around[spread <= 3 * np.median(spread) + 0.01]  # without a digit or a shadow that reaches so far
    return float((beside**3).sum()) > 0


def _lines(missing: Ink) -> Ink:
    """What of each row goes through the whole picture from side to side, as ruled lines do."""
    edge = max(1, missing.shape[1] // 32)
    ends = np.minimum(missing[:, :edge].mean(1), missing[:, -edge:].mean(1))
    lines: Ink = np.minimum(ends, np.quantile(missing, 0.2, axis=1)).astype(np.float32)
    return lines[:, None]


def _belongs(drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the digit is among all that is drawn: the largest piece and what is more than a speck beside it.

    Pieces are told apart on a coarse grid, so that a line with gaps is one.
    """
    cell = -(-max(drawn.shape) // CELLS)
    height, width = (-(-side // cell) for side in drawn.shape)
    padded = np.zeros((height * cell, width * cell), np.float32)
    padded[: drawn.shape[0], : drawn.shape[1]] = drawn
    counts = padded.reshape(height, cell, width, cell).sum((1, 3))  # (height, width) of cells
    pieces = _pieces(counts > 0)
    sizes = np.bincount(pieces.ravel(), counts.ravel())  # of each piece, by its number
    # What reaches the edge of the picture is more likely a shadow, a margin, or the table, however large.
    edges = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
    sizes[edges] *= 0.2
    kept = sizes >= 0.08 * sizes[1:].max()
    kept[edges] &= sizes[edges] == sizes[1:].max()
    kept[0] = False
    return np.repeat(np.repeat(kept[pieces], cell, 0), cell, 1)[: drawn.shape[0], : drawn.shape[1]]


def _pieces(filled: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A number for each connected piece of a grid, from 1, in each of its cells; 0 where nothing is."""
    numbers = np.where(filled, np.arange(1, filled.size + 1).reshape(filled.shape), 0)
    while True:
        wider = np.where(filled, _largest_around(numbers, 1), 0)
        if np.array_equal(wider, numbers):
            return np.unique(np.append(0, numbers), return_inverse=True)[1][1:].reshape(filled.shape)
        numbers = wider


def _otsu(values: Ink) -> float:
    """Between the two groups of values that differ most (Otsu, 1979)."""
    counts, edges = np.histogram(values, 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()
    above = below[-1] - below
    sums = (counts * middles).cumsum()
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nan_to_num(between).argmax()])


def _blurred(values: Ink, radius: int) -> Ink:
    """The mean over a square of 2 radius + 1 pixels."""
    for axis in (0, 1):
        if radius:
            pad = [(radius + 1, radius) if side == axis else (0, 0) for side in (0, 1)]
            sums = np.pad(values, pad, "edge").cumsum(axis, dtype=np.float64)
            size, width = values.shape[axis], 2 * radius + 1
            values = ((sums.take(range(width, width + size), axis) - sums.take(range(size), axis)) / width).astype(
                np.float32
            )
    return values


def _largest_around(values: NDArray[N], reach: int) -> NDArray[N]:
    """The largest value in the square of 2 reach + 1 pixels around each."""
    width = 2 * reach + 1
    for axis in (0, 1):
        size = values.shape[axis]
        pad = [(reach, reach) if side == axis else (0, 0) for side in (0, 1)]
        largest, seen = np.pad(values, pad, "edge"), 1  # each the largest of so many from its place on
        while seen < width:
            step = min(seen, width - seen)
            stay = largest.shape[axis] - step
            largest = np.maximum(largest.take(range(stay), axis), largest.take(range(step, step + stay), axis))
            seen += step
        values = largest.take(range(size), axis)
    return values


def _box(ink: Ink) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is drawn, the second and the last exclusive."""
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis)) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _pen_width(ink: Ink) -> float:
    """Of a line, its area by half of what surrounds it."""
    edges = float(np.hypot(*np.gradient(np.pad(ink, 1))).sum())
    return 2 * float(ink.sum()) / max(edges, 1.0)


def _with_pen_of_usual_width(ink: Ink) -> Ink:
    top, bottom, left, right = _box(ink)
    scale = BOX / max(bottom - top, right - left)
    width = _pen_width(ink)
    if width * scale < THINNEST:
        reach = max(1, round((THINNEST / scale - width) / 2))
        return _largest_around(np.pad(ink, reach), reach)
    return ink


def _placed(ink: Ink) -> NDArray[np.uint8]:
    """Scaled into the box and laid with its centre of mass in the middle, uint8 (28, 28)."""
    from PIL import Image  # as above

    top, bottom, left, right = _box(ink)
    cut = Image.fromarray((ink[top:bottom, left:right] * 255).astype(np.uint8))
    scale = BOX / max(cut.size)
    size = max(1, round(cut.width * scale)), max(1, round(cut.height * scale))
    # (h, w) within the box, its longer side 20.
    digit = np.asarray(cut.resize(size, Image.Resampling.LANCZOS if scale > 1 else Image.Resampling.BOX))
    digit = np.rint(digit * (255 / max(1, digit.max()))).astype(np.uint8)
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    row, column = (
        min(max(round(SIZE / 2 - centre), 0), SIZE - side)
        for centre, side in zip(_centre_of_mass(digit), digit.shape, strict=True)
    )
    canvas[row : row + digit.shape[0], column : column + digit.shape[1]] = digit
    return canvas
