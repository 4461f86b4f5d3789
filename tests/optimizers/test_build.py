from __future__ import annotations

import copy
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from honshi import optimizers
from honshi.models import CNN, MLP
from honshi.optimizers import build_schedule, rate_factor
from honshi.recipe import (
    AdamOptions,
    ConstantOptions,
    CosineOptions,
    OneCycleOptions,
    OptimizerOptions,
    ScheduleOptions,
    SGDOptions,
    StepOptions,
)


def small_model() -> MLP:
    torch.manual_seed(0)
    return MLP(6, (5,), 3, batch_norm=True)


def groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """What ought to decay and what ought not, in the words of torch."""
    return [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]


def take_steps(model: nn.Module, optimizer: Optimizer) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()


@pytest.mark.parametrize(
    ("options", "torchs_own"),
    [
        (SGDOptions(lr=0.1), lambda model: SGD(model.parameters(), lr=0.1)),
        (SGDOptions(lr=0.1, momentum=0.9), lambda model: SGD(model.parameters(), lr=0.1, momentum=0.9)),
        (
            SGDOptions(lr=0.1, momentum=0.9, nesterov=True),
            lambda model: SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True),
        ),
        (SGDOptions(lr=0.1, weight_decay=0.01), lambda model: SGD(groups(model, 0.01), lr=0.1)),
        (AdamOptions(lr=0.01), lambda model: Adam(model.parameters(), lr=0.01)),
        (AdamOptions(betas=(0.8, 0.9)), lambda model: Adam(model.parameters(), lr=0.001, betas=(0.8, 0.9))),
        (AdamOptions(weight_decay=0.1), lambda model: Adam(groups(model, 0.1), lr=0.001)),
        (AdamOptions(kind="adamw"), lambda model: AdamW(model.parameters(), lr=0.001, weight_decay=0.0)),
        (AdamOptions(kind="adamw", weight_decay=0.1), lambda model: AdamW(groups(model, 0.1), lr=0.001)),
    ],
    ids=[
        "sgd",
        "momentum",
        "nesterov",
        "sgd with decay",
        "adam",
        "adam with betas",
        "adam with decay",
        "adamw without decay",
        "adamw",
    ],
)
def test_it_steps_as_torchs_own_does_on_the_same_gradients(
    options: SGDOptions | AdamOptions, torchs_own: Callable[[nn.Module], Optimizer]
) -> None:
    ours, reference = small_model(), small_model()

    take_steps(ours, optimizers.build(options, ours))
    take_steps(reference, torchs_own(reference))

    for mine, expected in zip(ours.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize("model", [MLP(6, (5,), 3, batch_norm=True), CNN(1, (4,), 3)], ids=["mlp", "cnn"])
@pytest.mark.parametrize(
    "options",
    [SGDOptions(lr=0.1, weight_decay=0.5), AdamOptions(kind="adamw", lr=0.1, weight_decay=0.5)],
    ids=["sgd", "adamw"],
)
def test_decay_shrinks_matrices_and_filters_and_leaves_biases_and_norms(
    options: SGDOptions | AdamOptions, model: nn.Module
) -> None:
    optimizer = optimizers.build(options, model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)

    optimizer.step()

    for name, parameter in model.named_parameters():
        expected = 1 - 0.1 * 0.5 if parameter.dim() > 1 else 1.0
        torch.testing.assert_close(parameter, torch.full_like(parameter, expected), msg=name)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_every_parameter_is_optimized_once(weight_decay: float) -> None:
    model = small_model()

    optimizer = optimizers.build(SGDOptions(weight_decay=weight_decay), model)

    found = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(map(id, found)) == sorted(map(id, model.parameters()))


schedules: st.SearchStrategy[ScheduleOptions] = st.one_of(
    st.builds(ConstantOptions, warmup_epochs=st.floats(0, 4)),
    st.builds(
        StepOptions, every=st.integers(1, 6), gamma=st.floats(0.01, 1, exclude_min=True), warmup_epochs=st.floats(0, 4)
    ),
    st.builds(CosineOptions, floor=st.floats(0, 0.9), warmup_epochs=st.floats(0, 4)),
    st.builds(OneCycleOptions, rise=st.floats(0.01, 0.99)),
)
steps_per_epoch = st.integers(1, 30)
epochs = st.integers(1, 12)


def factors(options: ScheduleOptions, steps: int, epochs: int) -> list[float]:
    return [rate_factor(options, step, steps, epochs) for step in range(steps * epochs)]


@given(options=schedules, steps=steps_per_epoch, epochs=epochs)
def test_every_step_moves_and_none_goes_beyond_the_rate(options: ScheduleOptions, steps: int, epochs: int) -> None:
    assert all(0 < factor <= 1 for factor in factors(options, steps, epochs))


@given(
    kind=st.sampled_from([ConstantOptions, StepOptions, CosineOptions]),
    warmup=st.floats(0, 4),
    steps=steps_per_epoch,
)
def test_the_warm_up_climbs_evenly_to_the_rate(
    kind: type[ConstantOptions] | type[StepOptions] | type[CosineOptions], warmup: float, steps: int
) -> None:
    count = round(warmup * steps)

    climb = [rate_factor(kind(warmup_epochs=warmup), step, steps, epochs=10) for step in range(count)]

    assert climb == [pytest.approx((step + 1) / count) for step in range(count)]


@given(floor=st.floats(0, 0.9), steps=steps_per_epoch, epochs=epochs)
def test_the_cosine_falls_from_the_rate_to_the_floor(floor: float, steps: int, epochs: int) -> None:
    options = CosineOptions(floor=floor)

    fall = factors(options, steps, epochs)

    assert fall[0] == 1.0
    assert fall == sorted(fall, reverse=True)
    assert rate_factor(options, steps * epochs, steps, epochs) == pytest.approx(floor)


@given(floor=st.floats(0, 0.9), warmup=st.floats(0, 2), steps=steps_per_epoch, epochs=st.integers(4, 12))
def test_half_way_after_the_warm_up_the_cosine_is_half_way_down(
    floor: float, warmup: float, steps: int, epochs: int
) -> None:
    warmup_steps, total = round(warmup * steps), steps * epochs
    assume((total - warmup_steps) % 2 == 0)

    middle = rate_factor(CosineOptions(floor=floor, warmup_epochs=warmup), (total + warmup_steps) // 2, steps, epochs)

    assert middle == pytest.approx((1 + floor) / 2)


@given(rise=st.floats(0.01, 0.99), steps=steps_per_epoch, epochs=epochs)
def test_one_cycle_goes_up_to_the_rate_at_its_rise_and_down_again(rise: float, steps: int, epochs: int) -> None:
    cycle = factors(OneCycleOptions(rise=rise), steps, epochs)
    peak = cycle.index(1.0)

    assert abs(peak - rise * steps * epochs) <= 1
    assert cycle[: peak + 1] == sorted(cycle[: peak + 1])
    assert cycle[peak:] == sorted(cycle[peak:], reverse=True)


@given(rise=st.floats(0.01, 0.9), steps=steps_per_epoch, epochs=epochs)
def test_one_cycle_ends_almost_at_0(rise: float, steps: int, epochs: int) -> None:
    total = steps * epochs

    assert rate_factor(OneCycleOptions(rise=rise), total, steps, epochs) == 0.0


@given(every=st.integers(1, 6), gamma=st.floats(0.01, 1), steps=steps_per_epoch, epochs=epochs)
def test_the_step_schedule_multiplies_by_gamma_every_few_epochs(
    every: int, gamma: float, steps: int, epochs: int
) -> None:
    expected = [pytest.approx(gamma ** (epoch // every)) for epoch in range(epochs) for _ in range(steps)]

    assert factors(StepOptions(every=every, gamma=gamma), steps, epochs) == expected


def test_a_constant_rate_needs_no_schedule() -> None:
    optimizer = optimizers.build(SGDOptions(), small_model())

    assert build_schedule(ConstantOptions(), optimizer, steps_per_epoch=5, epochs=2) is None


@pytest.mark.parametrize(
    "options",
    [ConstantOptions(warmup_epochs=1.5), StepOptions(every=1), CosineOptions(floor=0.1), OneCycleOptions()],
    ids=lambda options: options.kind,
)
def test_the_schedule_sets_the_rate_of_all_parameters_at_each_step(options: ScheduleOptions) -> None:
    model = small_model()
    optimizer = optimizers.build(SGDOptions(lr=0.5, weight_decay=0.1), model)
    schedule = build_schedule(options, optimizer, steps_per_epoch=4, epochs=3)
    assert schedule is not None

    rates: list[list[float]] = []
    for _ in range(12):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()

    assert rates == [[pytest.approx(0.5 * factor)] * 2 for factor in factors(options, steps=4, epochs=3)]


def test_an_optimizer_without_matrices_can_decay_too() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scale

    model = Scale()
    optimizer = optimizers.build(SGDOptions(lr=1.0, weight_decay=0.1), model)
    model(torch.ones(1, 3)).sum().backward()

    optimizer.step()

    assert model.scale.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "muon"])
def test_a_step_does_not_load_torchs_compiler(kind: str) -> None:
    code = (
        "import sys, torch, honshi; model = honshi.models.MLP(); "
        f"recipe = honshi.Recipe().changed({{'optimizer.kind': '{kind}'}}); "
        "optimizer = honshi.optimizers.build(recipe.optimizer, model); "
        "model(torch.rand(2, 784)).sum().backward(); optimizer.step(); print('torch._dynamo' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_an_optimizer_that_nobody_needs_leaves_the_memory() -> None:
    optimizer = optimizers.build(SGDOptions(lr=0.1), small_model())
    gone = weakref.ref(optimizer)

    del optimizer

    assert gone() is None


@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        (SGDOptions(lr=0.1, momentum=0.9), lambda weights: SGD(weights, lr=0.1, momentum=0.9)),
        (AdamOptions(kind="adam", lr=0.1), lambda weights: Adam(weights, lr=0.1, fused=True)),
    ],
    ids=["sgd", "adam"],
)
def test_a_step_is_torchs_own_with_its_hooks(
    options: OptimizerOptions, theirs: Callable[[Iterator[Tensor]], Optimizer]
) -> None:
    model = nn.Linear(3, 2)
    other = copy.deepcopy(model)
    ours, expected = optimizers.build(options, model), theirs(other.parameters())
    called = []
    ours.register_step_pre_hook(lambda *_: called.append("before"))
    ours.register_step_post_hook(lambda *_: called.append("after"))

    for optimizer, learner in ((ours, model), (expected, other)):
        for _ in range(3):
            optimizer.zero_grad()
            learner(torch.ones(1, 3)).square().sum().backward()
            optimizer.step()

    assert called == ["before", "after"] * 3
    for one, another in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, another)
