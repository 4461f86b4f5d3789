"""What a model wants its images to be: the contract that every picture is prepared by, for training as for prediction.

Shapes: n images, c channels (1 grey, 3 colour), h rows, w columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from honshi.errors import DataError
from honshi.pictures.facts import Facts

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """Mean and standard deviation for each channel, of pixels scaled to [0, 1].

    ``Normalization(mean=(0.5,), std=(0.5,))`` is the lecture's ``Normalize((0.5,), (0.5,))``: it maps
    black to -1 and white to 1.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        """
        Raises:
            DataError: these are not a mean and a deviation for each channel.
        """
        try:
            for name in ("mean", "std"):
                object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        except (TypeError, ValueError):
            given = False
        else:
            given = len(self.mean) == len(self.std) > 0 and all(map(math.isfinite, (*self.mean, *self.std)))
        if not given or not all(deviation > 0 for deviation in self.std):
            raise DataError(
                "A normalisation has a mean and a deviation above 0 for each channel, not {mean} and {std}.",
                mean=self.mean,
                std=self.std,
            )

    @classmethod
    def measured(cls, pixels: Tensor | Iterable[Tensor]) -> Normalization:
        """The statistics of uint8 pixels (n, c, h, w), all at once or block by block. Give it the training part only.

        They come from a histogram of the 256 possible values, which is exact and never holds the
        images as floats.
        """
        import torch  # processes that only decode do without

        histograms: list[Tensor] = []
        for block in (pixels,) if isinstance(pixels, torch.Tensor) else pixels:
            found = [_histogram(channel) for channel in block.cpu().unbind(1)]
            histograms = list(map(torch.add, histograms, found)) if histograms else found
        means, stds = [], []
        values = torch.arange(256, dtype=torch.float64) / 255  # of each entry of a histogram (256,)
        for counts in [histogram.double() for histogram in histograms]:
            mean = (counts * values).sum() / counts.sum()
            variance = (counts * (values - mean) ** 2).sum() / counts.sum()
            means.append(float(mean))
            # A channel that never varies carries nothing; dividing by 1 keeps it finite. Seen from the
            # counts: the sums above round, and leave a deviation of 1e-17 where it is 0.
            varies = int((counts > 0).sum()) > 1
            stds.append(float(variance.sqrt()) if varies else 1.0)
        return cls(mean=tuple(means), std=tuple(stds))

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pixels (n, c, h, w) as normalised float32 of the same shape, on the same device.

        They are uint8, or float32 from 0 to 255, which are overwritten.
        """
        # In units of [0, 255], so that no pass over the batch is spent on dividing by 255.
        if len(self.mean) == 1:
            return pixels.float().sub_(255 * self.mean[0]).div_(255 * self.std[0])
        import torch

        mean = torch.tensor(self.mean, device=pixels.device).view(-1, 1, 1) * 255  # (c, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).view(-1, 1, 1) * 255
        return pixels.float().sub_(mean).div_(std)


# Pairs of pixels that are counted in one go.
PIECE = 1 << 18
# What the lecture does: black becomes -1 and white 1.
LECTURE = Normalization(mean=(0.5,), std=(0.5,))
# What is taken for white in pictures of more than 8 bits, and by what part of it a float may lie outside.
WHITES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
ROUNDING = 1e-3


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What counts as white in pictures of more than 8 bits; black is 0.

    It is found once for a data set, kept with the model, and never read off a picture: the same values mean the same
    brightness in each.

    Attributes:
        integers: in pictures of 16 or 32 bits.
        floats: in pictures of floating-point numbers.
    """

    integers: int = 65535
    floats: float = 1.0

    @classmethod
    def of(cls, facts: Iterable[Facts]) -> Self:
        """The scale of a data set, from what `honshi.pictures.probe.probe` found of all its pictures.

        For each of the two kinds, white is the smallest of 1, 2, 4, 8, 16, 32, 64, 255, 1023, 4095, 16383 and 65535
        that no value of the data set exceeds, and beyond them a power of two less one: 255, 1023, 4095 and 16383 are
        what 8, 10, 12 and 14 bits hold, however wide the numbers are in which they lie. Floating-point numbers may
        exceed it by a thousandth, as rounding makes them. A kind that no picture has keeps its usual scale.
        """
        highest = {"integers": 0.0, "floats": 0.0}
        found = set()
        for one in facts:
            if one.kind != "8 bit":
                found.add(one.kind)
                highest[one.kind] = max(highest[one.kind], one.highest)
        usual = cls()
        return cls(
            integers=int(_white(highest["integers"])) if "integers" in found else usual.integers,
            floats=_white(highest["floats"] / (1 + ROUNDING)) if "floats" in found else usual.floats,
        )

    def __post_init__(self) -> None:
        if not (0 < self.integers < math.inf and 0 < self.floats < math.inf):
            raise DataError(
                "What counts as white is a number above 0, not {integers} and {floats}.",
                integers=self.integers,
                floats=self.floats,
            )


@dataclass(frozen=True, kw_only=True)
class InputContract:
    """What must happen to a picture before a model may see it. The model owns it; the classes are not part of it.

    Attributes:
        shape: (c, h, w) of one image.
        normalization: from bytes to what the model sees.
        fit: how a picture of another size gets this one. "pad": scaled until it fits in, and centred on a canvas of
            its border's colour where the proportions differ. "crop": scaled until it covers, and cut to its centre.
            "stretch": scaled, whatever becomes of its proportions.
        scale: what counts as white in pictures of more than 8 bits.
        background: mean brightness of the training images' borders, within [0, 1]; a picture with
            the opposite one (ink on paper, where the model learnt chalk on a board) is worth a warning.
        form: in which the training images were brought before, so that other pictures can be too. "mnist": a digit
            light on dark, in a box of 20 pixels, its centre of mass in the middle.
    """

    shape: tuple[int, int, int]
    normalization: Normalization
    fit: Literal["pad", "crop", "stretch"] = "pad"
    scale: Scale = Scale()
    background: float = 0.0
    form: Literal["mnist"] | None = None


@dataclass(frozen=True, kw_only=True)
class Preprocessing(InputContract):
    """An input contract together with the names of the classes: what a user's own model is told.

    Attributes:
        classes: the name of each class.
    """

    classes: tuple[str, ...]

    @classmethod
    def of(cls, contract: InputContract, classes: tuple[str, ...]) -> Self:
        return cls(**{field.name: getattr(contract, field.name) for field in fields(InputContract)}, classes=classes)

    @cached_property
    def contract(self) -> InputContract:
        """Without the classes."""
        return InputContract(**{field.name: getattr(self, field.name) for field in fields(InputContract)})


def border_brightness(pixels: Tensor) -> float:
    """Mean brightness, within [0, 1], of the outermost rows and columns of uint8 pixels (..., h, w)."""
    import torch

    return torch.cat([edge.flatten() for edge in edges(pixels)]).float().mean().item() / 255


def edges(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The outermost rows (..., w) and columns (..., h) of pixels (..., h, w)."""
    return pixels[..., 0, :], pixels[..., -1, :], pixels[..., :, 0], pixels[..., :, -1]


def _white(highest: float) -> float:
    """The smallest usual white that a value does not exceed."""
    return next((white for white in WHITES if highest <= white), 2.0 ** math.ceil(math.log2(highest + 1)) - 1)


def _histogram(pixels: Tensor) -> Tensor:
    """How often each of the 256 values occurs in uint8 pixels, int64 (256,).

    Two pixels are counted at a time, by pieces that fit a cache: in less than half of the time that one needs.
    """
    flat = np.ascontiguousarray(pixels.numpy()).reshape(-1)
    even = len(flat) // 2 * 2
    pairs = flat[:even].view(np.uint16)
    counts = np.zeros(1 << 16, dtype=np.int64)
    for start in range(0, len(pairs), PIECE):
        counts += np.bincount(pairs[start : start + PIECE], minlength=1 << 16)
    import torch

    both = counts.reshape(256, 256)
    return torch.from_numpy(both.sum(0) + both.sum(1) + np.bincount(flat[even:], minlength=256))
