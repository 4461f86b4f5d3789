"""A small modern convolutional network: its options, and what it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from honshi.errors import RecipeError
from honshi.recipe.model import WithDropout, register
from honshi.recipe.options import Changes, Count, Int, problem
from honshi.recipe.ranges import Entry, Sizes


@register
class CNNOptions(WithDropout):
    """``widths`` are the channels of each stage; a stage halves the image.

    ``residual``: so many residual layers more in each stage; none where left out. ``stem``: how the first
    stage halves the image, by pooling or by a 5x5 convolution of stride 2, which costs a fifth.
    """

    network = "honshi.models.cnn:CNN"
    convolutional = True

    kind: Literal["cnn"] = "cnn"
    widths: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32, 64)
    residual: tuple[Annotated[Int, Field(ge=0)], ...] = ()
    stem: Literal["pool", "stride"] = "pool"

    @model_validator(mode="after")
    def _residual_for_each_stage(self) -> Self:
        if self.residual and len(self.residual) != len(self.widths):
            raise problem(
                "residual has a number for each of the {stages} stages of widths, or is left out",
                stages=len(self.widths),
            )
        return self

    def arguments(self, shape: tuple[int, int, int], classes: int) -> dict[str, Any]:
        channels, height, width = shape
        if self.stem == "stride" and min(height, width) < 5:
            raise RecipeError(
                'model.stem "stride" needs images of at least 5×5 pixels, these are {height}×{width}.',
                height=height,
                width=width,
            )
        return {
            "channels": channels,
            "widths": list(self.widths),
            "classes": classes,
            "residual": list(self.residual),
            "stem": self.stem,
            "dropout": self.dropout,
        }

    def needs_two_images(self, shape: tuple[int, int, int]) -> bool:
        # Batch norm compares images and places, so a single image does as long as more than one place is left.
        return all(self._left_of(side) == 1 for side in shape[1:])

    def _left_of(self, side: int) -> int:
        """How many places the last stage has along a side of so many pixels."""
        for stage in range(len(self.widths)):
            side = (side - 5) // 2 + 1 if stage == 0 and self.stem == "stride" else -(-side // 2)
        return side

    def resized(self, factor: float) -> Changes | None:
        if min(self.widths) * factor < 8:
            return None
        return {"model.widths": [int(width * factor) for width in self.widths]}

    def search_space(self) -> Mapping[str, Entry]:
        # Residual layers are given for each stage, so where there are some the number of stages stays.
        stages = (len(self.widths), len(self.widths)) if self.residual else (2, 3)
        widths = Sizes(layers=stages, low=8, high=max(64, *self.widths), log=True)
        return {"model.widths": widths, **super().search_space()}
