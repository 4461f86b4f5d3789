"""Augmentation: every epoch sees its images a little different, so there is more to learn than the images.

A whole block of mini-batches is changed at once on its device, and each image by draws of its own. What
moves in at the edges repeats the image's own edge: its background, where it has one.

Shapes: n images of a block, each (c, h, w); k classes.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn.functional import grid_sample, one_hot

from honshi.errors import ArgumentError
from honshi.recipe import AugmentOptions
from honshi.recipe.explain import explain

# Control points of the elastic field along each side. On 28 pixels they smooth it like a Gaussian of 4
# pixels, which is what Simard et al. found best on MNIST.
CONTROL_POINTS = 7


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes of images that leave their class as it is.

    Attributes:
        shift: the largest shift to each side, as a fraction of the side. Alone, or with `flip` and `erase`,
            it is by whole pixels: nothing is blurred and it costs next to nothing.
        rotate: the largest rotation, in degrees, either way.
        scale: the largest change of size: 0.1 is from 0.9 to 1.1 of it.
        shear: the largest slant along the rows, in degrees, either way.
        elastic: the largest displacement of a pixel by a smooth random field, in pixels (Simard et al.,
            "Best practices for convolutional neural networks", 2003). The field is a cubic B-spline.
        erase: the probability that a random rectangle of 2 % to 40 % of the image is painted over with one
            random brightness (Zhong et al., "Random erasing data augmentation", 2017).
        flip: half of the images are mirrored left to right. Not for digits and letters.
        mixup: alpha of the Beta distribution by which an image and its label are mixed with another's
            (Zhang et al., "mixup: beyond empirical risk minimization", 2017).
    """

    shift: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    erase: float = 0.0
    flip: bool = False
    mixup: float = 0.0

    def __post_init__(self) -> None:
        """
        Raises:
            ArgumentError: one of them is out of the range that it has in a recipe.
        """
        options = asdict(self)
        try:
            checked = AugmentOptions(**options)
        except ValidationError as error:
            raise ArgumentError("Augmentation: {problem}", problem=explain(error, AugmentOptions, options)) from None
        for name in options:
            object.__setattr__(self, name, getattr(checked, name))

    def __call__(self, pixels: Tensor, draws: torch.Generator) -> Tensor:
        """Change images.

        Args:
            pixels: uint8 (n, c, h, w); left as they are.
            draws: where the randomness comes from, on the device of the pixels.

        Returns:
            The same shape in the same units, from 0 to 255; float32 where pixels had to be interpolated.
        """
        if self.rotate or self.scale or self.shear or self.elastic:
            pixels = self._warp(pixels, draws)
        elif self.shift:
            pixels = self._shift(pixels, draws)
        if self.flip:
            mirrored = _uniform(len(pixels), 1, 1, 1, draws=draws) < 0
            pixels = torch.where(mirrored, pixels.flip(-1), pixels)
        if self.erase:
            pixels = self._erase(pixels, draws)
        return pixels

    def mix(self, inputs: Tensor, labels: Tensor, classes: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Mixup: each image with another one of the block.

        Args:
            inputs: float (n, c, h, w).
            labels: int64 (n,).
            classes: k.
            draws: on the CPU, whatever the device of the inputs.

        Returns:
            Inputs of the same shape, and labels as probabilities (n, k). An image keeps the larger share, so its
            own label stays the most probable.
        """
        count = len(inputs)
        random = np.random.default_rng(int(torch.randint(2**62, (), generator=draws)))
        share = random.beta(self.mixup, self.mixup, (count, 1)).astype(np.float32)
        lost = torch.from_numpy(np.minimum(share, 1 - share)).to(inputs.device)  # (n, 1)
        partners = torch.randperm(count, generator=draws).to(inputs.device)  # (n,)
        own = one_hot(labels, classes).float()  # (n, k)
        mixed = inputs.lerp(inputs.index_select(0, partners), lost.view(-1, 1, 1, 1))
        return mixed, own.lerp(own.index_select(0, partners), lost)

    def _shift(self, pixels: Tensor, draws: torch.Generator) -> Tensor:
        """By whole pixels: each row of the result is a run of bytes in a row of the widened image."""
        count, channels, height, width = pixels.shape
        down, aside = round(self.shift * height), round(self.shift * width)
        widened = torch.cat(
            [pixels[..., :1].expand(-1, -1, -1, aside), pixels, pixels[..., -1:].expand(-1, -1, -1, aside)], dim=-1
        ).view(-1)
        runs = widened.as_strided((len(widened) - width + 1, width), (1, 1))  # each w bytes in a row, as a view
        dy = torch.randint(-down, down + 1, (count, 1, 1), generator=draws, device=pixels.device)
        dx = torch.randint(0, 2 * aside + 1, (count, 1, 1), generator=draws, device=pixels.device)
        planes = torch.arange(count * channels, device=pixels.device).view(count, channels, 1)
        rows = (torch.arange(height, device=pixels.device) + dy).clamp(0, height - 1)  # (n, 1, h)
        starts = (planes * height + rows) * (width + 2 * aside) + dx  # (n, c, h): where each row begins
        return runs.index_select(0, starts.view(-1)).view(pixels.shape)

    def _warp(self, pixels: Tensor, draws: torch.Generator) -> Tensor:
        """Shift, rotation, scale, shear and elastic field in one bilinear look-up.

        Where a pixel of the result comes from, x and y, is a sum of few fixed pictures: the column, the row,
        1, and the bump of each control point. So the map of all images is one matrix product,
        (2n, 3 + control points) by (3 + control points, h * w).
        """
        # It takes 0.2 s to load, and only what bends images needs it.
        from kornia.geometry.transform import get_affine_matrix2d

        count, _, height, width = pixels.shape
        device = pixels.device
        sides = torch.tensor([width, height], dtype=torch.float32, device=device)
        drawn = _uniform(count, 5, draws=draws)  # (n, 5): aside, down, size, angle, slant
        matrices = get_affine_matrix2d(
            translations=drawn[:, :2] * self.shift * sides,
            center=((sides - 1) / 2).expand(count, 2),
            # The map leads from the result back to the image, so what is to grow is divided.
            scale=1 / (1 + self.scale * drawn[:, 2:3].expand(count, 2)),
            angle=self.rotate * drawn[:, 3],
            sx=math.radians(self.shear) * drawn[:, 4],
            sy=torch.zeros(count, device=device),
        )
        rows, columns = torch.meshgrid(
            torch.arange(height, dtype=torch.float32, device=device),
            torch.arange(width, dtype=torch.float32, device=device),
            indexing="ij",
        )
        # (1, h * w) each, and what they are multiplied by, (n, 2, 3).
        pictures = [columns.reshape(1, -1), rows.reshape(1, -1), torch.ones(1, height * width, device=device)]
        coefficients = [matrices[:, :2]]
        if self.elastic:
            bumps = torch.einsum("ih,jw->ijhw", _bumps(height, device), _bumps(width, device))
            pictures.append(bumps.reshape(CONTROL_POINTS**2, -1))
            coefficients.append(self.elastic * _uniform(count, 2, CONTROL_POINTS**2, draws=draws))
        # From pixels, of which the first has its middle at 0, to grid_sample's range from edge -1 to edge 1.
        weights = torch.cat(coefficients, 2) * (2 / sides).view(2, 1)
        weights[:, :, 2] += 1 / sides - 1
        places = weights.view(2 * count, -1) @ torch.cat(pictures)  # (2n, h * w)
        grid = places.view(count, 2, height, width).permute(0, 2, 3, 1)  # (n, h, w, 2)
        return grid_sample(pixels.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _erase(self, pixels: Tensor, draws: torch.Generator) -> Tensor:
        count, channels, height, width = pixels.shape
        # Of each image, (n, 1).
        chosen, area, aspect, top, left = ((_uniform(count, 5, draws=draws) + 1) / 2).view(count, 5, 1).unbind(1)
        area = (0.02 + 0.38 * area) * height * width
        aspect = (0.3 ** (1 - 2 * aspect)).sqrt()
        tall = (area.sqrt() * aspect).round().clamp(1, height)
        wide = (area.sqrt() / aspect).round().clamp(1, width)
        top = (top * (height - tall + 1)).floor()
        left = (left * (width - wide + 1)).floor()
        rows = torch.arange(height, device=pixels.device)
        columns = torch.arange(width, device=pixels.device)
        inside_rows = (rows >= top) & (rows < top + tall) & (chosen < self.erase)  # (n, h)
        inside_columns = (columns >= left) & (columns < left + wide)  # (n, w)
        inside = inside_rows.view(count, 1, height, 1) & inside_columns.view(count, 1, 1, width)
        paint = torch.randint(256, (count, channels, 1, 1), generator=draws, device=pixels.device).to(pixels.dtype)
        return torch.where(inside, paint, pixels)


def build(options: AugmentOptions) -> Augmentation | None:
    """The augmentation that a recipe asks for; None where everything is off."""
    augmentation = Augmentation(**options.model_dump())
    return None if augmentation == Augmentation() else augmentation


def _uniform(*shape: int, draws: torch.Generator) -> Tensor:
    """Uniform float32 from -1 to 1."""
    return torch.rand(shape, generator=draws, device=draws.device) * 2 - 1


def _bumps(side: int, device: torch.device) -> Tensor:
    """Cubic B-splines of the control points over a side, (control points, side); at each pixel they add up to 1.

    So a field that they make is nowhere larger than its largest control point.
    """
    places = torch.linspace(0, CONTROL_POINTS - 3, side, device=device)
    distances = (places - torch.arange(-1, CONTROL_POINTS - 1, device=device).view(-1, 1)).abs()
    near = 2 / 3 - distances**2 + distances**3 / 2
    far = (2 - distances).clamp(min=0) ** 3 / 6
    return torch.where(distances < 1, near, far)
