"""The options of each kind of learning-rate schedule, whose curve is in `honshi.optimizers.schedules`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from honshi.recipe.kinds import Kinds
from honshi.recipe.options import Changes, Count, Float, Fraction, NotNegative, Options, Positive


class _Schedule(Options):
    """What may be asked of every schedule.

    Attributes:
        falls: whether the rate is lower at the end.
    """

    falls: ClassVar[bool] = True

    kind: str

    def with_warm_up(self) -> Changes | None:
        """What makes the rate climb at first; None where it does already."""
        return None


class _AfterWarmUp(_Schedule):
    warmup_epochs: NotNegative = 0.0

    def with_warm_up(self) -> Changes | None:
        return None if self.warmup_epochs else {"schedule.warmup_epochs": 1.0}


class ConstantOptions(_AfterWarmUp):
    falls = False

    kind: Literal["constant"] = "constant"


class StepOptions(_AfterWarmUp):
    """The rate is multiplied by ``gamma`` after every ``every`` epochs."""

    kind: Literal["step"] = "step"
    every: Count = 5
    gamma: Annotated[Positive, Field(le=1)] = 0.1


class CosineOptions(_AfterWarmUp):
    """Half a cosine from the rate down to ``floor`` times it."""

    kind: Literal["cosine"] = "cosine"
    floor: Fraction = 0.0


class OneCycleOptions(_Schedule):
    """Linear up to the rate over the first ``rise`` of all steps, then linear down to almost 0."""

    kind: Literal["one-cycle"] = "one-cycle"
    rise: Annotated[Float, Field(gt=0, lt=1)] = 0.25


ScheduleOptions: TypeAlias = ConstantOptions | StepOptions | CosineOptions | OneCycleOptions

SCHEDULES: Kinds[_Schedule] = Kinds("constant", ConstantOptions, StepOptions, CosineOptions, OneCycleOptions)
