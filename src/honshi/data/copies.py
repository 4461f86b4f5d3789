"""The same picture on both sides of a split: what is measured on it is memory, not learning.

A copy is seldom the same bytes. It was saved as JPEG once more, moved by a pixel, brightened. So
exact copies are found by a hash of the pixels, and near ones in three steps. In these colour plays
no part: JPEG keeps it at half the resolution, and only brightness at the full one.

1. Candidates. The magnitudes of an image's Fourier transform stay the same when the image moves (the
   shift theorem); without the zero frequency and at unit length they also ignore brightness and
   contrast. The low ones make a short signature, and one matrix product finds its neighbours.
2. Verification. Each candidate is laid over the image in all nine positions one pixel around, and
   brightness and contrast are fitted by least squares. The distance is the share of the contrast
   that no position and no fit explains.
3. Calibration. How alike two different pictures get depends on the data: handwritten ones are more
   alike than eights. The measure is how far images of a class are from their nearest neighbour in
   that class; a copy is several times nearer.

Shapes: n images, b in a block, k candidates for each, c channels, h rows, w columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from honshi.data.examples import PIXELS_DIGEST, Examples, Selected
from honshi.data.sealed import Sealed
from honshi.errors import DataError, SealedError

# Frequencies from -5 to 5 in both directions: 65 magnitudes. With fewer, small pictures
# with hard edges lose their copies among their neighbours; more make the product longer.
HIGHEST_FREQUENCY = 5
# A copy is nearly always the first; the rest are for pictures cut off at the border, whose
# magnitudes do change when they move.
CANDIDATES = 8
# What JPEG calls the brightness of red, green and blue (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
# Means of 3 x 3 pixels are compared: they drop the noise of JPEG, which differs from pixel to pixel,
# and keep what two pictures differ in, which is wider.
BLUR = 3
# A pair is near if its distance is under a quarter of the median distance between neighbours of that
# class. Among images that vary in D ways a fraction of about 4^-D of the neighbours is as near by
# chance, and D is about 8 to 14 for handwritten digits (Hein and Audibert, 2005). The median stays
# where it is though a good part of the images should have a copy on their own side.
NEAR = 1 / 4
# Images of each class whose neighbour is looked for: the median is then known to a few per cent.
SAMPLE = 100
# Blur and shift leave 4 x 4 pixels of 8 x 8. Fewer look alike by chance.
SMALLEST = 8
# About how many bytes the largest table of a block may take. Small blocks are slower: each of their
# steps waits for the slower of two processors.
BLOCK_BYTES = 1 << 26
# Pairs of images that are compared for near copies: about a minute's work. Of more some of the right side are looked
# for, evenly spaced.
MOST_PAIRS = 4_000_000_000


@dataclass(frozen=True, kw_only=True)
class Leak:
    """An image on the right that is on the left too.

    Attributes:
        left, right: places of the two images.
        kind: ``"exact"``: every pixel equal; ``"near"``: the same picture in other bytes.
        distance: the share of the contrast, within [0, 1], that is left after the best shift and fit
            of brightness (root mean square of the rest by that of the whole); 0 where exact.
        labels_differ: whether the two have different classes: one of them is wrong.
    """

    left: int
    right: int
    kind: Literal["exact", "near"]
    distance: float
    labels_differ: bool


def find_leaks(left: Examples, right: Examples) -> list[Leak]:
    """The images on the right, say of the validation part, that are on the left as well.

    Labels play no part in the comparison. Near copies are those that were encoded again, moved by
    one pixel, made brighter, given more contrast or other colours; what was mirrored, rotated or cropped is not
    found. Of images smaller than 8 x 8, only exact copies are; and where there are very many pairs, near copies are
    looked for of some images on the right alone (`searched_for`).

    The work is done on the device that holds the left images, in blocks.

    Args:
        left: n images, whose classes calibrate what counts as near.
        right: n' images of the same shape (c, h, w).

    Returns:
        At most one leak for each image on the right, to the first of the exact copies or else to the
        nearest image: the exact ones in the order of the right side, then the near ones, nearest first.

    Raises:
        SealedError: a side is the sealed test set.
        DataError: the images of the two sides have different shapes.
    """
    sides: tuple[object, object] = (left, right)
    if any(isinstance(side, Sealed) for side in sides):
        raise SealedError("The test set was searched for leaks")
    if left.shape != right.shape:
        raise DataError(
            "Images of shape {left} cannot be compared with images of shape {right}: bring both sides to "
            "one size first.",
            left=left.shape,
            right=right.shape,
        )
    pairs: list[tuple[int, int, Literal["exact", "near"], float]] = []
    first = {digest: place for place, digest in reversed(list(enumerate(_of_pixels(left))))}
    unmatched, step = [], _step(len(left), len(right))
    for place, digest in enumerate(_of_pixels(right)):
        if digest in first:
            pairs.append((first[digest], place, "exact", 0.0))
        elif place % step == 0:
            unmatched.append(place)
    if unmatched and len(left) and min(left.shape[1:]) >= SMALLEST:
        signatures = _signatures(left)
        places, distances = _nearest(left, signatures, right.subset(unmatched))  # one of each for each unmatched
        near = (distances < _thresholds(left, signatures)[left.labels[places]]).nonzero().flatten()
        for query in near[distances[near].argsort()].tolist():
            pairs.append((int(places[query]), unmatched[query], "near", float(distances[query])))
    return [
        Leak(
            left=in_left,
            right=in_right,
            kind=kind,
            distance=distance,
            labels_differ=left.classes[left.labels[in_left]] != right.classes[right.labels[in_right]],
        )
        for in_left, in_right, kind, distance in pairs
    ]


def searched_for(left: int, right: int) -> int:
    """How many of so many images on the right are looked for as near copies among so many on the left."""
    return -(-right // _step(left, right))


def _step(left: int, right: int) -> int:
    """Of how many images one on the right is looked for."""
    return max(1, -(-left * right // MOST_PAIRS))


def shared_places(left: Examples, right: Examples) -> list[int]:
    """The places of all images on the left of which the right has an exact or a near copy, ascending."""
    remaining = torch.arange(len(left))
    # Of several copies a search names one, so it is repeated until there is none.
    while leaks := find_leaks(left.subset(remaining), right):
        keep = torch.ones(len(remaining), dtype=torch.bool)
        keep[[leak.left for leak in leaks]] = False
        remaining = remaining[keep]
    kept = set(remaining.tolist())
    return [place for place in range(len(left)) if place not in kept]


def _of_pixels(images: Examples) -> list[bytes]:
    """What tells whether two images have the same pixels, whatever their labels."""
    return [digest.tobytes() for digest in images.digests[:, :PIXELS_DIGEST]]


def thresholds(images: Examples) -> Tensor:
    """The distance under which an image is a copy of one of a class, (number of classes,); 0 where nothing tells."""
    if not len(images) or min(images.shape[1:]) < SMALLEST:
        return torch.zeros(len(images.classes))
    return _thresholds(images, _signatures(images))


def nearest_few(pool: Examples, queries: Examples) -> tuple[Tensor, Tensor]:
    """For each query (n' images) the places of the few in the pool (n images) that are most like it: int64 and
    float32 distances (n', up to 8), the likest in any place."""
    if not len(pool) or not len(queries) or min(pool.shape[1:]) < SMALLEST:
        return torch.empty(len(queries), 0, dtype=torch.int64), torch.empty(len(queries), 0)
    found = list(_candidates(pool, _signatures(pool), queries))
    return torch.cat([places for places, _ in found]), torch.cat([distances for _, distances in found])


def _thresholds(images: Examples, signatures: Tensor) -> Tensor:
    """The distance under which an image is a copy of one of a class: (number of classes,).

    Some images of each class look for their nearest neighbour among the others. A class of one image
    has no such distance; its threshold is 0, and nothing is nearer.
    """
    thresholds = torch.zeros(len(images.classes))
    for label in range(len(images.classes)):
        members = (images.labels == label).nonzero().flatten()
        if len(members) < 2:
            continue
        chosen = torch.zeros_like(members, dtype=torch.bool)
        chosen[:: max(2, len(members) // SAMPLE)] = True
        others = members[~chosen]
        # A view, so that no pixels are copied to look at the few that come into question.
        pool = Selected(images, others, images.normalization)
        _, distances = _nearest(pool, signatures[others], images.subset(members[chosen]))
        thresholds[label] = NEAR * distances.median()
    return thresholds


def _nearest(pool: Examples, signatures: Tensor, queries: Examples) -> tuple[Tensor, Tensor]:
    """For each query (n' images), the place in the pool (n images) of the nearest one and its distance.

    Args:
        signatures: of the pool, (n, up to 65), on the device that the work is done on.
    """
    places, distances = [], []
    for candidates, distance in _candidates(pool, signatures, queries):
        least, best = distance.min(1)  # (b,)
        places.append(candidates.gather(1, best.unsqueeze(1)).squeeze(1))
        distances.append(least)
    return torch.cat(places), torch.cat(distances)


def _candidates(pool: Examples, signatures: Tensor, queries: Examples) -> Iterator[tuple[Tensor, Tensor]]:
    """For each block of queries, the places of the few in the pool that come into question and their distances, (b, k)
    each, on the CPU."""
    device = signatures.device
    # Float32 of a query: a score for each of the pool, and the images that its distances are made from.
    query_bytes = 4 * max(len(pool), (CANDIDATES + 9) * math.prod(pool.shape))
    blocks = torch.arange(len(queries)).split(max(1, BLOCK_BYTES // query_bytes))
    # One table for the scores of every block: to ask for fresh memory takes as long as to fill it.
    table = torch.empty(len(blocks[0]), len(pool), device=device)
    for block in blocks:
        pixels = queries.gather(block, device)  # (b, c, h, w)
        scores = torch.mm(_signature(pixels), signatures.mT, out=table[: len(block)])  # (b, n)
        candidates = scores.topk(min(CANDIDATES, len(pool))).indices  # (b, k)
        found = pool.gather(candidates.flatten(), device).unflatten(0, candidates.shape)  # (b, k, c, h, w)
        yield candidates.cpu(), _distances(found, pixels).cpu()


def _signatures(images: Examples) -> Tensor:
    """The signature of each image, on the device that holds their pixels."""
    return torch.cat([_signature(part) for block in images.blocks() for part in block.split(_at_once(block))])


def _at_once(pixels: Tensor) -> int:
    # Eight bytes a pixel: it as a float, and half a complex number of its transform.
    return max(1, BLOCK_BYTES // (8 * pixels[0].numel()))


def _signature(pixels: Tensor) -> Tensor:
    """What stays of images (n, c, h, w) when they move or change brightness: unit vectors (n, up to 65)."""
    spectrum = torch.fft.rfft2(brightness(pixels))[..., : HIGHEST_FREQUENCY + 1]  # (n, h, up to 6)
    rows = (spectrum[:, : HIGHEST_FREQUENCY + 1], spectrum[:, -HIGHEST_FREQUENCY:])
    magnitudes = torch.cat(rows, dim=1).abs().flatten(1)  # (n, up to 66), the zero frequency first
    return F.normalize(magnitudes[:, 1:])


def _distances(candidates: Tensor, images: Tensor) -> Tensor:
    """How far images (b, c, h, w) are from their candidates (b, k, c, h, w): (b, k), see `Leak`.

    A least-squares fit with an offset leaves 1 - r² of the variance, r being the correlation.
    """
    b, k = candidates.shape[:2]
    # Without what blur and shift need at the border: (b k, h - 4, w - 4), below called h and w.
    fixed = F.avg_pool2d(brightness(candidates.flatten(0, 1)), BLUR, stride=1)[:, 1:-1, 1:-1]
    h, w = fixed.shape[1:]
    # All windows of that size, (b, 3, 3, h, w), then one position a row, (b, 9, h w).
    moved = F.avg_pool2d(brightness(images), BLUR, stride=1).unfold(1, h, 1).unfold(2, w, 1).reshape(b, 9, h * w)
    # Of the nine positions the best: (b, k, 9) to (b, k).
    correlation = (_standardized(fixed.reshape(b, k, h * w)) @ _standardized(moved).mT).amax(-1)
    return (1 - correlation.clamp(min=0, max=1) ** 2).sqrt()


def brightness(pixels: Tensor) -> Tensor:
    """Images (n, c, h, w) in grey, as float32 (n, h, w) within [0, 255]."""
    if pixels.shape[1] != len(LUMA):
        return pixels.float().mean(1)
    return torch.einsum("nchw,c->nhw", pixels.float(), torch.tensor(LUMA, device=pixels.device))


def _standardized(values: Tensor) -> Tensor:
    """Vectors without their mean and at unit length; those that hardly vary stay near zero."""
    # A length under one grey level in all is rounding: two blank images do not become alike by it.
    return F.normalize(values - values.mean(-1, keepdim=True), dim=-1, eps=1.0)
