"""The options of the data: what is trained on, and how training images are changed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from honshi.recipe.options import (
    Count,
    Flag,
    Float,
    Fraction,
    Int,
    NotNegative,
    Options,
    Positive,
    Probability,
    Seed,
    problem,
)


class DataOptions(Options):
    """``source`` as ``--data`` takes it; ``seed`` is that of the split, apart from the training's.

    ``folds``: score each training image by a model that did not see it, in so many folds dealt ``repeats`` times, and
    train the model that is kept on all of them, in place of a validation part; 0 sets one aside whatever its size.
    Where nothing is said, a pretrained backbone's head is scored so where validation would hold fewer than 300 images.

    ``drop_leaks``: train without the images that are in the validation or the test set as well. ``size``, ``fit``,
    ``test``, ``group``, ``columns`` and ``strict`` are for pictures of one's own; see `honshi.load`.
    """

    source: str = "mnist"
    val: Annotated[Float, Field(gt=0, lt=1)] = 0.1
    seed: Seed = 0
    folds: Int | None = None
    repeats: Count | None = None
    subset: Count | None = None
    drop_leaks: Flag = False
    # Measured on the training part, or fixed as (mean, deviation).
    normalize: Literal["train"] | tuple[Float, Positive] = "train"
    # Chosen from the pictures where nothing is said.
    size: Count | None = None
    fit: Literal["pad", "crop", "stretch"] | None = None
    test: Annotated[Float, Field(gt=0, lt=1)] | None = None
    group: str | None = None
    columns: dict[str, str | Int] | None = None
    strict: Flag | None = None

    @model_validator(mode="after")
    def _at_least_two_folds(self) -> Self:
        if self.folds is not None and (self.folds < 0 or self.folds == 1):
            raise problem("folds is 0 for none, or at least 2")
        if self.repeats is not None and not self.folds:
            raise problem("repeats says how often the images are dealt out to folds: it needs folds of at least 2")
        return self


class AugmentOptions(Options):
    """How training images are changed at random; all off by default, see `honshi.data.augment`.

    ``shift`` as a fraction of the side, ``rotate`` and ``shear`` in degrees, ``scale`` 0.1 for 0.9 to 1.1,
    ``elastic`` in pixels: each the largest, either way. ``erase`` is a probability, ``mixup`` the alpha of a
    Beta distribution.
    """

    shift: Fraction = 0.0
    rotate: Annotated[Float, Field(ge=0, le=180)] = 0.0
    scale: Fraction = 0.0
    shear: Annotated[Float, Field(ge=0, le=60)] = 0.0
    elastic: Annotated[Float, Field(ge=0, le=100)] = 0.0
    erase: Probability = 0.0
    flip: Flag = False
    mixup: NotNegative = 0.0
