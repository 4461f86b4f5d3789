"""The options of the data: what is trained on, and how training images are changed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from honshi.recipe.options import Count, Flag, Float, Fraction, Int, NotNegative, Options, Positive, Probability, Seed


class DataOptions(Options):
    """``source`` as ``--data`` takes it; ``seed`` is that of the split, apart from the training's.

    ``drop_leaks``: train without the images that are in the validation or the test set as well. ``size``, ``fit``,
    ``test``, ``group``, ``columns`` and ``strict`` are for pictures of one's own; see `honshi.load`.
    """

    source: str = "mnist"
    val: Annotated[Float, Field(gt=0, lt=1)] = 0.1
    seed: Seed = 0
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
