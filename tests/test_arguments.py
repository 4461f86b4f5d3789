"""A value that cannot mean anything is refused in a sentence by everything that is built by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from honshi import Augmentation
from honshi.errors import ArgumentError
from honshi.losses import CrossEntropy
from honshi.models import CNN, MLP, TTA, Ensemble
from honshi.optimizers import Muon

muon = partial(Muon, [torch.zeros(2, 2)], [])


@pytest.mark.parametrize(
    ("build", "arguments", "sentence"),
    [
        (MLP, {"inputs": 0}, "inputs is a whole number and at least 1, not 0."),
        (MLP, {"hidden": (128, 0)}, "a size in hidden is a whole number and at least 1, not 0."),
        (MLP, {"hidden": (64.5,)}, "a size in hidden is a whole number and at least 1, not 64.5."),
        (MLP, {"classes": True}, "classes is a whole number and at least 1, not True."),
        (MLP, {"dropout": -0.1}, "dropout is a number from 0 to below 1, not -0.1."),
        (MLP, {"dropout": 1.0}, "dropout is a number from 0 to below 1, not 1.0."),
        (MLP, {"dropout": math.nan}, "dropout is a number from 0 to below 1, not nan."),
        (MLP, {"dropout": "0.1"}, "dropout is a number from 0 to below 1, not '0.1'."),
        (CNN, {"channels": -1}, "channels is a whole number"),
        (CNN, {"widths": ()}, "the number of widths is a whole number and at least 1, not 0."),
        (CNN, {"widths": (16, -8)}, "a width is a whole number"),
        (
            CNN,
            {"residual": (1,)},
            "residual has a number for each of the 3 stages of widths, or is left out; it has",
        ),
        (CNN, {"residual": (0, -1, 0)}, "a number of residual layers is a whole number and at least 0, not -1."),
        (CNN, {"stem": "strided"}, 'stem is "pool" or "stride", not \'strided\'.'),
        (CNN, {"dropout": 2}, "dropout is a number from 0 to below 1, not 2."),
        (partial(Ensemble, []), {}, "the number of members is a whole number and at least 1, not 0."),
        (partial(TTA, MLP()), {"shift": -1}, "shift is a whole number and at least 0, not -1."),
        (partial(TTA, MLP()), {"shift": 1.5}, "shift is a whole number and at least 0, not 1.5."),
        (CrossEntropy, {"label_smoothing": 2}, "label_smoothing is a number from 0 to below 1, not 2."),
        (CrossEntropy, {"weight": torch.tensor([1.0, -1.0])}, "weight has a number for each class, each at least 0"),
        (CrossEntropy, {"weight": torch.tensor([1.0, math.nan])}, "weight has a number for each class"),
        (CrossEntropy, {"weight": torch.ones(2, 2)}, "weight has a number for each class"),
        (muon, {"lr": -0.1}, "lr is a number and at least 0, not -0.1."),
        (muon, {"adam_lr": math.inf}, "adam_lr is a number and at least 0, not inf."),
        (muon, {"momentum": 1.0}, "momentum is a number from 0 to below 1, not 1.0."),
        (muon, {"betas": (0.9, 1.5)}, "betas[1] is a number from 0 to below 1, not 1.5."),
        (muon, {"weight_decay": -1}, "weight_decay is a number and at least 0, not -1."),
        (Augmentation, {"shift": 2.0}, "Augmentation: shift: input should be less than 1 (it is 2.0)."),
        (Augmentation, {"rotate": -5.0}, "Augmentation: rotate: input should be greater than or equal to 0"),
        (Augmentation, {"mixup": math.inf}, "Augmentation: mixup: "),
        (Augmentation, {"flip": "no"}, "Augmentation: flip: "),
    ],
)
def test_it_is_named_with_what_it_may_be(build: Callable[..., Any], arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{re.escape(sentence)}"):
        build(**arguments)


def test_the_numbers_of_numpy_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")

    assert MLP(numpy.int64(4), (numpy.int32(3),), 2, dropout=numpy.float32(0.5)).depth == 2
