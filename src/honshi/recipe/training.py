"""The options of the loop: how long it trains, on how many images at once, from which seed, and how carefully."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from honshi.recipe.options import Count, Flag, Float, NotNegative, Options, Positive, Seed, problem


class TrainingOptions(Options):
    """How the loop runs.

    ``patience``: stop after so many epochs without a validation loss lower by ``min_delta``.
    ``restore_best``: end with the weights of the epoch of lowest validation loss, else of the last.
    ``remeasure_train``: measure the training part again after each epoch in eval mode, so that
    dropout and the epoch's own progress do not blur the comparison with validation.
    ``ema``, ``swa``: keep the average of the weights along the way, fading by this factor a step, or even
    over this last part of all steps.
    ``precision``: of what a training step computes; the weights stay float32. ``auto`` is bfloat16 where the device has
    instructions for it and a few steps, timed before the training, are quicker with it. A run's own recipe names what
    was chosen.
    """

    epochs: Count = 10
    batch_size: Count = 64
    seed: Seed = 0
    device: str = "auto"
    patience: Count | None = None
    min_delta: NotNegative = 0.0
    restore_best: Flag = True
    clip_grad_norm: Positive | None = None
    remeasure_train: Flag = False
    ema: Annotated[Float, Field(gt=0, lt=1)] | None = None
    swa: Annotated[Float, Field(gt=0, le=1)] | None = None
    precision: Literal["float32", "bfloat16", "auto"] = "float32"

    @model_validator(mode="after")
    def _one_average(self) -> Self:
        if self.ema is not None and self.swa is not None:
            raise problem("ema and swa are two averages of the same weights: choose one")
        return self

    def leaves_one(self, images: int) -> bool:
        """Whether of so many training images an epoch has a mini-batch of a single one."""
        return 1 in (self.batch_size, images % self.batch_size)
