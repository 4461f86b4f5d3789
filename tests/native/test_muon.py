from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from honshi.native.muon import GRAIN, LARGEST, CompiledSteps, compiled_steps
from honshi.optimizers.muon import COEFFICIENTS, Muon


def steps() -> CompiledSteps:
    found = compiled_steps(COEFFICIENTS)
    assert found is not None
    return found


def weight_of(*shape: int, seed: int = 0, layout: torch.memory_format = torch.contiguous_format) -> nn.Parameter:
    draws = torch.Generator().manual_seed(seed)
    weight = nn.Parameter(torch.randn(shape, generator=draws).contiguous(memory_format=layout))
    weight.grad = torch.randn(shape, generator=draws).contiguous(memory_format=layout)
    return weight


def is_supported(weight: nn.Parameter) -> bool:
    return steps().supports(weight, torch.zeros_like(weight))


def copied(weight: nn.Parameter) -> nn.Parameter:
    """With its gradient, and as it lies in memory."""
    copied = copy.deepcopy(weight)
    copied.grad = copy.deepcopy(weight.grad)
    return copied


def trained(weights: list[nn.Parameter], *, compiled: bool) -> list[Tensor]:
    """What three steps make of copies of the weights, and their momenta."""
    weights = [copied(weight) for weight in weights]
    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            patch.setattr("honshi.optimizers.muon.compiled_steps", lambda coefficients: None)
        optimizer = Muon(weights, [], lr=0.1, momentum=0.8, weight_decay=0.05)
        for number in range(3):
            for weight in weights:
                assert weight.grad is not None
                weight.grad.add_(number)
            optimizer.step()
    return [*(weight.detach() for weight in weights), *(optimizer.state[weight]["momentum"] for weight in weights)]


@settings(deadline=None)
@given(rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 1000))
def test_it_is_the_step_of_torchs_operations_for_any_matrix(rows: int, columns: int, seed: int) -> None:
    weights = [weight_of(rows, columns, seed=seed)]
    assert is_supported(weights[0])

    ours, theirs = trained(weights, compiled=True), trained(weights, compiled=False)

    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, rtol=0, atol=1e-4)


def test_it_is_the_step_of_filters_however_they_lie_in_memory() -> None:
    weights = [
        weight_of(24, 1, 5, 5, layout=torch.channels_last),
        weight_of(48, 24, 3, 3, layout=torch.channels_last),
        weight_of(LARGEST, 300),
        weight_of(300, LARGEST),
        weight_of(16, 8, 3, 3),
    ]
    assert all(map(is_supported, weights))

    ours, theirs = trained(weights, compiled=True), trained(weights, compiled=False)

    for mine, expected in zip(ours, theirs, strict=True):
        assert mine.stride() == expected.stride()
        torch.testing.assert_close(mine, expected, rtol=0, atol=1e-4)


def test_the_number_of_threads_changes_nothing() -> None:
    weights = [weight_of(32, 144), weight_of(64, 32), weight_of(16, 25)]
    assert sum(weight.numel() for weight in weights) > GRAIN
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(trained(weights, compiled=True))
    finally:
        torch.set_num_threads(before)

    for others in found[1:]:
        assert all(map(torch.equal, others, found[0]))


def test_a_gradient_of_zeros_moves_nothing() -> None:
    weight = weight_of(6, 9)
    before = weight.detach().clone()
    weight.grad = torch.zeros(6, 9)

    Muon([weight], []).step()

    assert torch.equal(weight, before)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_hidden(value: float) -> None:
    weight = weight_of(6, 9)
    assert weight.grad is not None
    weight.grad[2, 3] = value

    Muon([weight], []).step()

    assert weight.isnan().all()


def test_autograd_learns_that_the_weights_have_changed() -> None:
    weight = weight_of(6, 9)
    loss = (weight**2).sum()

    Muon([weight], []).step()

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def gradient_that_lies_otherwise() -> nn.Parameter:
    weight = weight_of(8, 4, 3, 3, layout=torch.channels_last)
    assert weight.grad is not None
    weight.grad = weight.grad.contiguous()
    return weight


@pytest.mark.parametrize(
    "weight",
    [
        weight_of(LARGEST + 1, LARGEST + 1),
        nn.Parameter(weight_of(4, 5).double()),
        nn.Parameter(torch.randn(4, 10)[:, ::2]),
        nn.Parameter(torch.randn(0, 5)),
        nn.Parameter(torch.randn(4, 5, device="meta")),
        gradient_that_lies_otherwise(),
    ],
    ids=["large", "float64", "with gaps", "empty", "elsewhere", "gradient in another order"],
)
def test_what_it_does_not_know_torch_computes(weight: nn.Parameter) -> None:
    if weight.grad is None:
        weight.grad = torch.ones_like(weight)

    assert not is_supported(weight)
    Muon([weight], []).step()


def test_both_kinds_are_stepped_by_one_optimizer() -> None:
    weights = [weight_of(4, 5), gradient_that_lies_otherwise(), weight_of(6, 7)]
    assert [is_supported(weight) for weight in weights] == [True, False, True]

    ours, theirs = trained(weights, compiled=True), trained(weights, compiled=False)

    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", [(4, 6), (2, 5), (20,)])
def test_a_momentum_of_another_shape_is_not_taken_for_its_own(shape: tuple[int, ...]) -> None:
    weight = weight_of(4, 5)
    momentum = torch.zeros(shape)

    assert not steps().supports(weight, momentum)
    with pytest.raises(ValueError, match=r"shape \(4, 5\)"):
        steps().step([(weight, momentum)], {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0})


def test_a_weight_without_a_gradient_is_not_stepped() -> None:
    weight = nn.Parameter(torch.zeros(4, 5))

    assert not steps().supports(weight, torch.zeros(4, 5))
    with pytest.raises(ValueError, match="gradient"):
        steps().step([(weight, torch.zeros(4, 5))], {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0})


def test_weights_in_the_same_memory_are_stepped_one_after_the_other() -> None:
    found = []
    for compiled in (True, False):
        whole = weight_of(8, 5)
        first, second = nn.Parameter(whole.detach()[:5]), nn.Parameter(whole.detach()[3:])
        first.grad, second.grad = weight_of(5, 5, seed=1).detach(), weight_of(5, 5, seed=2).detach()
        with pytest.MonkeyPatch.context() as patch:
            if not compiled:
                patch.setattr("honshi.optimizers.muon.compiled_steps", lambda coefficients: None)
            Muon([first, second], []).step()
        found.append(whole.detach())

    assert torch.equal(*found)
