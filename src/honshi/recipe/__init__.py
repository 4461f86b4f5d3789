"""One experiment as one value: checked where it is built, unchangeable afterwards, to TOML and back without loss.

Free of torch, so that a wrong option is said at once. A kind of model is added by its options (`ModelOptions`) and
`register`; everybody else asks them.
"""

from honshi.recipe.cnn import CNNOptions
from honshi.recipe.data import AugmentOptions, DataOptions
from honshi.recipe.frozen import FrozenOptions
from honshi.recipe.loss import CrossEntropyOptions, LossOptions
from honshi.recipe.mlp import MLPOptions
from honshi.recipe.model import ModelOptions, TTAOptions, kind_called, kinds, register
from honshi.recipe.optimizer import AdamOptions, MuonOptions, OptimizerOptions, PathOptions, SGDOptions
from honshi.recipe.options import Changes, Options
from honshi.recipe.recipe import Recipe, built_in
from honshi.recipe.schedule import ConstantOptions, CosineOptions, OneCycleOptions, ScheduleOptions, StepOptions
from honshi.recipe.space import TuneOptions
from honshi.recipe.training import TrainingOptions

__all__ = [
    "AdamOptions",
    "AugmentOptions",
    "CNNOptions",
    "Changes",
    "ConstantOptions",
    "CosineOptions",
    "CrossEntropyOptions",
    "DataOptions",
    "FrozenOptions",
    "LossOptions",
    "MLPOptions",
    "ModelOptions",
    "MuonOptions",
    "OneCycleOptions",
    "OptimizerOptions",
    "Options",
    "PathOptions",
    "Recipe",
    "SGDOptions",
    "ScheduleOptions",
    "StepOptions",
    "TTAOptions",
    "TrainingOptions",
    "TuneOptions",
    "built_in",
    "kind_called",
    "kinds",
    "register",
]
