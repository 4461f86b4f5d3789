from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.native.calls import counted
from torch import Tensor, nn

from honshi.native.kernels import GRAIN, kernels
from honshi.native.max_pool import is_two_by_two, max_pool

POOL = nn.MaxPool2d(2, ceil_mode=True)


def features(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Small whole numbers, so that many are equal, channels last."""
    draws = torch.Generator().manual_seed(sum(shape))
    numbers = torch.randint(-2, 3, shape, generator=draws).to(dtype)
    return numbers.to(memory_format=torch.channels_last).requires_grad_()


def compare(pool: nn.MaxPool2d, inputs: Tensor, *, compiled: bool) -> None:
    """Outputs and gradient are, bit by bit, those of torch; and they come from the kernels, or do not."""
    expected = pool(inputs)
    upstream = torch.arange(expected.numel()).view_as(expected).to(expected.dtype)
    (at_inputs,) = torch.autograd.grad(expected, inputs, upstream)
    with counted() as calls:
        found = max_pool(pool, inputs)
        (ours,) = torch.autograd.grad(found, inputs, upstream)

    assert calls == ({"max_pool": 1, "max_pool_gradient": 1} if compiled else {})
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(ours, at_inputs, rtol=0, atol=0)


def test_the_kernels_are_there() -> None:
    found = kernels()

    assert found is not None
    assert found.parallel is not None or torch.get_num_threads() == 1


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.sampled_from([8, 16, 24]), st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_it_is_the_pooling_of_torch_at_any_size(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    compare(POOL, features(*shape, dtype=dtype), compiled=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_goes_where_torch_lets_it_go(value: float) -> None:
    inputs = features(2, 8, 5, 5).detach()
    inputs[:, :, ::2, 1:] = value
    inputs[:, :, 4, 4] = value

    compare(POOL, inputs.requires_grad_(), compiled=True)


def test_the_number_of_threads_changes_nothing() -> None:
    inputs = features(8, 16, 29, 29)
    assert inputs.numel() > GRAIN
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            compare(POOL, inputs, compiled=True)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("pool", "inputs"),
    [
        (POOL, torch.randn(2, 8, 6, 6, requires_grad=True)),
        (POOL, features(2, 3, 6, 6)),
        (POOL, features(2, 8, 6, 6, dtype=torch.float64)),
        (POOL, torch.randn(8, 6, 6, requires_grad=True)),
        (nn.MaxPool2d(2), features(2, 8, 7, 6)),
    ],
    ids=["channels apart", "few channels", "float64", "one image", "the edge is left out"],
)
def test_what_the_kernels_do_not_know_torch_computes(pool: nn.MaxPool2d, inputs: Tensor) -> None:
    compare(pool, inputs, compiled=False)


def test_what_torch_looks_through_torch_computes() -> None:
    inputs = features(2, 8, 6, 6).detach()

    apart = torch.func.vmap(lambda images: max_pool(POOL, images))(inputs.unsqueeze(0))
    compiled = torch.compile(lambda images: max_pool(POOL, images), backend="eager", fullgraph=True)(inputs)

    assert torch.equal(apart[0], POOL(inputs))
    assert torch.equal(compiled, POOL(inputs))


def test_where_they_cannot_be_compiled_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("honshi.native.max_pool.kernels", lambda: None)

    compare(POOL, features(2, 8, 6, 6), compiled=False)


def test_other_defaults_of_torch_change_nothing() -> None:
    inputs = features(2, 8, 6, 6)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        found = max_pool(POOL, inputs)
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)

    assert torch.equal(found, POOL(inputs))


def test_without_gradients_it_is_the_same() -> None:
    inputs = features(2, 8, 7, 6)
    with torch.no_grad():
        found = max_pool(POOL, inputs)

    assert not found.requires_grad
    assert torch.equal(found, POOL(inputs))


def test_an_even_image_has_no_edge_to_leave_out() -> None:
    compare(nn.MaxPool2d(2), features(2, 8, 6, 6), compiled=True)


@pytest.mark.parametrize(
    ("pool", "known"),
    [
        (nn.MaxPool2d(2), True),
        (nn.MaxPool2d((2, 2), stride=(2, 2)), True),
        (nn.MaxPool2d(3, stride=2), False),
        (nn.MaxPool2d(2, stride=1), False),
        (nn.MaxPool2d((2, 1)), False),
        (nn.MaxPool2d(2, padding=1), False),
        (nn.MaxPool2d(2, dilation=2), False),
        (nn.MaxPool2d(2, return_indices=True), False),
    ],
)
def test_which_windows_are_two_by_two(pool: nn.MaxPool2d, known: bool) -> None:
    assert is_two_by_two(pool) is known
