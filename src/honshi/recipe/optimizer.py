"""The options of each kind of optimizer, which `honshi.optimizers` builds."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from honshi.recipe.kinds import Kinds
from honshi.recipe.options import Flag, Float, Fraction, NotNegative, Options, Positive, problem
from honshi.recipe.ranges import Choices, Range


class _Optimizer(Options):
    """What may be asked of every optimizer.

    Attributes:
        adaptive: whether each weight has steps of its own length, whatever that of its gradient.
        rates: among which a search looks for ``lr``.
    """

    adaptive: ClassVar[bool] = True
    rates: ClassVar[Range]

    kind: str

    @property
    def decoupled(self) -> bool:
        """Whether weight decay is multiplied by the rate alone; it is larger by far then."""
        return False

    @property
    def decays(self) -> Choices:
        """Among which a search looks for ``weight_decay``."""
        return Choices(choices=(0.0, 0.01, 0.02, 0.05, 0.1) if self.decoupled else (0.0, 1e-5, 1e-4, 1e-3))

    @property
    def least_decay(self) -> float:
        """The ``weight_decay`` to begin with."""
        return 1e-3


class SGDOptions(_Optimizer):
    adaptive = False
    rates = Range(low=0.01, high=1.0, log=True)

    kind: Literal["sgd"] = "sgd"
    lr: Positive = 0.1
    momentum: Fraction = 0.0
    nesterov: Flag = False
    weight_decay: NotNegative = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise problem("nesterov needs a momentum above 0, 0.9 for example")
        return self


class AdamOptions(_Optimizer):
    """Adam, and AdamW whose weight decay is decoupled from the gradient."""

    rates = Range(low=0.0001, high=0.03, log=True)

    kind: Literal["adam", "adamw"] = "adam"
    lr: Positive = 0.001
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: NotNegative = 0.0

    @property
    def decoupled(self) -> bool:
        return self.kind == "adamw"

    @property
    def least_decay(self) -> float:
        return 0.05 if self.decoupled else 1e-3


class MuonOptions(_Optimizer):
    """Muon for matrices and filters at ``lr``; Adam for the last layer, biases and norms at ``adam_lr``."""

    rates = Range(low=0.01, high=0.3, log=True)

    kind: Literal["muon"] = "muon"
    lr: Positive = 0.05
    adam_lr: Positive = 0.005
    momentum: Fraction = 0.9
    weight_decay: NotNegative = 0.0

    @property
    def decoupled(self) -> bool:
        return True


class PathOptions(_Optimizer):
    """All images at once by L-BFGS to the very minimum, in each epoch with less weight decay than in the one before.

    For a linear model, of which that minimum is the one there is. ``weight_decay`` is that of the first epoch; each
    following one has ``fall`` times that of the one before. ``lr`` is the length of the first step that is tried.
    """

    rates = Range(low=0.5, high=1.0)

    kind: Literal["path"] = "path"
    lr: Positive = 1.0
    weight_decay: Positive = 3.0
    fall: Annotated[Float, Field(gt=0, le=1)] = 0.5

    @property
    def decays(self) -> Choices:
        return Choices(choices=(1.0, 3.0, 10.0))

    @property
    def least_decay(self) -> float:
        return 3.0


OptimizerOptions: TypeAlias = SGDOptions | AdamOptions | MuonOptions | PathOptions

OPTIMIZERS: Kinds[_Optimizer] = Kinds("sgd", SGDOptions, AdamOptions, MuonOptions, PathOptions)
