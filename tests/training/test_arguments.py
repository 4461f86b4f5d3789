from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import LBFGS, SGD, Adam, Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import honshi
from honshi.errors import ArgumentError, DataError, ModelError, RequestError, WrongKindError
from honshi.training import EarlyStopping

LABELS = torch.arange(200) % 3
INPUTS = torch.randn(200, 8, generator=torch.Generator().manual_seed(0)) + LABELS[:, None]
DATA = TensorDataset(INPUTS, LABELS)


def fit(
    model: nn.Module | None = None,
    optimizer_of: Callable[[nn.Module], Any] = lambda model: SGD(model.parameters(), lr=0.1),
    criterion: Any = None,
    train: Any = DATA,
    **options: Any,
) -> honshi.FitResult:
    model = model or nn.Linear(8, 3)
    criterion = criterion or nn.CrossEntropyLoss()
    return honshi.fit(model, criterion, optimizer_of(model), train, DATA, **{"epochs": 2, **options})


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 1.5},
        {"epochs": True},
        {"batch_size": 2.5},
        {"batch_size": True},
        {"batch_size": -1},
        {"patience": 0},
        {"patience": 1.5},
        {"patience": EarlyStopping(patience=0)},
        {"min_delta": EarlyStopping(patience=1, min_delta=-1.0)},
        {"min_delta": EarlyStopping(patience=1, min_delta=math.nan)},
        {"clip_grad_norm": 0},
        {"clip_grad_norm": -1.0},
        {"clip_grad_norm": math.nan},
        {"clip_grad_norm": "1"},
        {"precision": "float16"},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": 10**30},
        {"batch_size": 2**63},
        {"clip_grad_norm": True},
        {"averaging": 0.9},
        {"augment": True},
        {"world": None},
        {"on_epoch": 1},
        {"on_step": "print"},
        {"checkpoint": 3},
        {"checkpoint": b"state.pt"},
        {"checkpoint": ""},
        {"checkpoint": "a\0b"},
    ],
    ids=str,
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong

    if name == "min_delta":
        wrong = {"patience": wrong["min_delta"]}
    with pytest.raises(ArgumentError, match=f"^{name} is") as caught:
        fit(**wrong)

    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, RequestError)


def test_whole_numbers_of_numpy_mean_what_those_of_python_mean() -> None:
    torch.manual_seed(0)
    model = nn.Linear(8, 3)
    options: dict[str, int] = {"batch_size": 30, "seed": 2, "epochs": 2, "patience": 2}
    rows = [
        [row.train_loss for row in fit(copy.deepcopy(model), **numbers).history]
        for numbers in (options, {name: np.int64(value) for name, value in options.items()})
    ]

    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    "wrong", [{"ema": 2}, {"ema": "0.9"}, {"ema": 0.0}, {"swa": 0}, {"swa": 1.1}, {}, {"ema": 0.9, "swa": 0.5}]
)
def test_averages_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        honshi.Averaging(**wrong)


def test_a_class_in_place_of_a_loss_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"write CrossEntropyLoss\("):
        fit(criterion=nn.CrossEntropyLoss)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_a_loss_that_is_no_mean_is_refused(reduction: str) -> None:
    for criterion in (nn.CrossEntropyLoss(reduction=reduction), partial(cross_entropy, reduction=reduction)):
        with pytest.raises(ModelError, match="mean"):
            fit(criterion=criterion)


def test_a_model_without_anything_to_train_is_refused() -> None:
    frozen = nn.Linear(8, 3).requires_grad_(False)

    for model in (nn.Flatten(), frozen):
        with pytest.raises(ModelError, match="no parameters to train"):
            fit(model, lambda _model: SGD([torch.zeros(1, requires_grad=True)], lr=0.1))


def test_the_optimizer_of_another_model_is_refused() -> None:
    with pytest.raises(ModelError, match=r"none of this model's parameters.*SGD\(model\.parameters\(\)"):
        fit(optimizer_of=lambda _model: SGD(nn.Linear(8, 3).parameters(), lr=0.1))


def test_an_optimizer_from_before_a_layer_was_exchanged_is_refused() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3))
    optimizer = SGD(model.parameters(), lr=0.1)
    model[1] = nn.Linear(8, 3)

    with pytest.raises(ModelError, match="2 tensors that are not the model's"):
        fit(model, lambda _model: optimizer)


def test_an_optimizer_of_some_layers_trains_these() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3))
    before = [parameter.detach().clone() for parameter in model.parameters()]

    fit(model, lambda model: Adam(model.get_submodule("1").parameters()))

    unchanged = [torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True)]
    assert unchanged == [True, True, False, False]


def test_parameters_of_the_criterion_may_be_trained_with_the_models() -> None:
    class Scaled(nn.CrossEntropyLoss):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, input: Tensor, target: Tensor) -> Tensor:
            return super().forward(self.scale * input, target)

    criterion = Scaled()

    fit(None, lambda model: SGD([*model.parameters(), *criterion.parameters()], lr=0.1), criterion)

    assert criterion.scale.item() != 1


def test_an_optimizer_that_asks_for_the_loss_again_is_refused() -> None:
    with pytest.raises(ArgumentError, match="LBFGS asks for the loss several times"):
        fit(optimizer_of=lambda model: LBFGS(model.parameters()))


def test_the_schedule_of_another_optimizer_is_refused() -> None:
    other = SGD(nn.Linear(8, 3).parameters(), lr=0.1)

    with pytest.raises(ArgumentError, match="of another optimizer"):
        fit(schedule=StepLR(other, 1))


def scheduled(kind: Callable[[Optimizer], Any], **options: Any) -> honshi.FitResult:
    model = nn.Linear(8, 3)
    optimizer = SGD(model.parameters(), lr=0.1)
    return fit(model, lambda _model: optimizer, schedule=kind(optimizer), **options)


def test_a_schedule_that_is_too_short_is_refused_before_a_step() -> None:
    steps: list[int] = []

    with pytest.raises(ArgumentError, match="made for 5 steps, and this training takes 8"):
        scheduled(lambda optimizer: OneCycleLR(optimizer, 0.1, total_steps=5), on_step=steps.append)
    scheduled(lambda optimizer: OneCycleLR(optimizer, 0.1, total_steps=8))

    assert steps == []


def test_a_schedule_that_waits_for_the_validation_loss_gets_it_after_each_epoch() -> None:
    def halving(optimizer: Optimizer) -> ReduceLROnPlateau:
        return ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=100.0, threshold_mode="abs")

    result = scheduled(halving, epochs=4)

    assert [row.lr for row in result.history] == [0.1, 0.1, 0.05, 0.025]


# Data that come otherwise


class Stream(IterableDataset[tuple[Tensor, int]]):
    def __iter__(self) -> Any:
        return iter([(INPUTS[i], int(LABELS[i])) for i in range(200)])


@pytest.mark.parametrize("data", [Stream(), DataLoader(Stream(), 64)], ids=["stream", "loader of a stream"])
def test_a_stream_trains_in_its_own_order(data: Any) -> None:
    streamed, listed = nn.Linear(8, 3), nn.Linear(8, 3)
    listed.load_state_dict(streamed.state_dict())

    fit(streamed, train=data, averaging=honshi.Averaging(ema=0.9))
    fit(listed, train=DataLoader(DATA, 64), averaging=honshi.Averaging(ema=0.9))

    assert torch.equal(streamed.weight, listed.weight)


def test_the_last_part_of_a_stream_is_not_known() -> None:
    with pytest.raises(ArgumentError, match="use ema"):
        fit(train=Stream(), averaging=honshi.Averaging(swa=0.5))


@pytest.mark.parametrize(
    "items",
    [
        [{"image": INPUTS[i], "label": int(LABELS[i])} for i in range(8)],
        [(INPUTS[i], int(LABELS[i]), i) for i in range(8)],
        [((INPUTS[i], INPUTS[i]), int(LABELS[i])) for i in range(8)],
    ],
    ids=["dicts", "triples", "two inputs"],
)
def test_mini_batches_that_are_no_pairs_of_tensors_are_refused(items: Any) -> None:
    with pytest.raises(DataError, match=r"two tensors are needed, \(inputs, labels\)"):
        fit(train=DataLoader(items, 4))


def test_batches_may_be_numpy_arrays() -> None:
    loader = DataLoader(
        DATA,
        64,
        collate_fn=lambda items: tuple(
            torch.stack([torch.as_tensor(item[part]) for item in items]).numpy() for part in (0, 1)
        ),
    )

    assert fit(train=loader).history[-1].train_loss > 0


def test_an_optimizer_that_does_not_take_such_gradients_is_named() -> None:
    with pytest.raises(ArgumentError, match="SparseAdam cannot take a step"):
        fit(optimizer_of=lambda model: torch.optim.SparseAdam(model.parameters()))


@pytest.mark.parametrize(
    "criterion",
    [
        lambda o, t: cross_entropy(o, t).detach(),
        lambda _o, _t: torch.ones((), requires_grad=True),
    ],
    ids=["detached", "of nothing"],
)
def test_a_loss_from_which_nothing_is_learnt_is_refused(criterion: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pytest.raises(ModelError, match=r"learn nothing|nothing would be trained"):
        fit(criterion=criterion)


@pytest.mark.parametrize(
    "schedule_of",
    [
        lambda optimizer: SequentialLR(
            optimizer, [StepLR(optimizer, 5), OneCycleLR(optimizer, 0.1, total_steps=2)], [2]
        ),
        lambda optimizer: ChainedScheduler([OneCycleLR(optimizer, 0.1, total_steps=6)], optimizer),
    ],
    ids=["one after the other", "at once"],
)
def test_a_schedule_made_of_some_that_are_too_short_is_refused_before_the_first_step(
    schedule_of: Callable[[Optimizer], LRScheduler],
) -> None:
    model = nn.Linear(8, 3)
    before = model.weight.detach().clone()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)

    with pytest.raises(ArgumentError, match="OneCycleLR is made for"):
        fit(model, lambda _model: optimizer, schedule=schedule_of(optimizer))
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (lambda place: (INPUTS[place], None), "No mini-batch could be made"),
        (lambda place: (torch.zeros(8 + place % 2), 0), "No mini-batch could be made"),
        (lambda place: (INPUTS[place], "ab"[place % 2]), "labels of a mini-batch are a tuple"),
        (lambda place: (INPUTS[place], [0]), "labels of a mini-batch are a list"),
        (lambda place: (INPUTS[place], {"class": 0}), "labels of a mini-batch are a dict"),
    ],
    ids=["none", "of several sizes", "words", "lists", "dicts"],
)
def test_a_dataset_that_makes_no_mini_batches_is_said_so(pair: Callable[[int], Any], said: str) -> None:
    class Own(Dataset[Any]):
        def __len__(self) -> int:
            return 20

        def __getitem__(self, place: int) -> Any:
            return pair(place)

    with pytest.raises(DataError, match=said):
        fit(train=Own())


def test_a_loader_of_single_images_is_said_so() -> None:
    with pytest.raises(DataError, match="single image"):
        fit(train=DataLoader(DATA, batch_size=None))


def test_a_dataset_without_images_or_without_a_length_is_said_so() -> None:
    class Endless(Dataset[Any]):
        def __getitem__(self, place: int) -> Any:
            return INPUTS[0], 0

    with pytest.raises(ModelError, match="no images"):
        fit(train=TensorDataset(INPUTS[:0], LABELS[:0]))
    with pytest.raises(WrongKindError, match="__len__"):
        fit(train=Endless())


def test_inputs_that_the_model_refuses_are_said_so() -> None:
    with pytest.raises(ModelError, match=r"does not take inputs of shape \(64, 7\)"):
        fit(train=TensorDataset(INPUTS[:, :7], LABELS))
