"""Batch norm in C, beside torch's; convolution and pooling have files of their own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from honshi.native.kernels import WIDEST, Kernels, kernels


def found() -> Kernels:
    there = kernels()
    assert there is not None
    return there


def features(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    numbers = (torch.randn(shape, generator=draws) + 3).to(dtype)
    return numbers.to(memory_format=torch.channels_last) if len(shape) == 4 else numbers


channels = st.sampled_from([8, 16, 40, 264])
shapes = st.one_of(
    st.tuples(st.integers(1, 70), channels),
    st.tuples(st.integers(1, 5), channels, st.integers(1, 9), st.integers(1, 9)),
)


@given(shape=shapes, dtype=st.sampled_from([torch.float32, torch.bfloat16]), affine=st.booleans())
def test_batch_norm_is_that_of_torch_for_features_of_any_size(
    shape: tuple[int, ...], dtype: torch.dtype, affine: bool
) -> None:
    inputs, upstream = features(shape, dtype), features(shape, dtype, seed=1)
    over = [place for place in range(len(shape)) if place != 1]
    exact = inputs.double().requires_grad_()
    norm = nn.BatchNorm2d(shape[1], affine=affine)
    if affine:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -1.0, 1.0)
    count = inputs.numel() // shape[1]
    layout = (1, -1, *[1] * (len(shape) - 2))
    mean, variance = exact.mean(over), exact.var(over, unbiased=False)
    scale = norm.weight.double().view(layout) if affine else 1.0
    shift = norm.bias.double().view(layout) if affine else 0.0
    outputs = (exact - mean.view(layout)) / (variance.view(layout) + norm.eps).sqrt() * scale + shift
    (at_inputs,) = torch.autograd.grad(outputs, exact, upstream.double())

    code = found()
    assert code.supports(inputs)
    assert code.supports_norm(norm, shape[1])
    moments, factors = code.moments(norm, code.sums(inputs), 0.1)
    ours = code.scaled(inputs, factors)
    sums, to_weights = code.gradient_sums(upstream, inputs, moments)
    back = code.scaled(upstream, code.gradient_factors(norm, sums, moments, count), inputs)

    near = {torch.float32: 1e-3, torch.bfloat16: 3e-2}[dtype]
    torch.testing.assert_close(moments[0], mean.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.double(), outputs.detach(), rtol=near, atol=near)
    # Where all inputs are one number the deviation is none, and what is left of it is blown up by 1 / sqrt(eps).
    if count > 1:
        blown_up = near * max(1.0, float(moments[1].max()))
        torch.testing.assert_close(back.double(), at_inputs, rtol=near, atol=blown_up)
    torch.testing.assert_close(to_weights[1].double(), upstream.double().sum(over), rtol=1e-4, atol=1e-3)
    unbiased = variance.detach() * count / max(count - 1, 1)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    torch.testing.assert_close(norm.running_mean.double(), 0.1 * mean.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(norm.running_var.double(), 0.9 + 0.1 * unbiased, rtol=1e-4, atol=1e-4)


def test_autograd_learns_that_running_moments_have_changed() -> None:
    norm = nn.BatchNorm2d(8)
    assert norm.running_mean is not None
    before = norm.running_mean._version

    found().moments(norm, found().sums(features((4, 8))), 0.1)

    assert norm.running_mean._version > before


def shared_moments() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(8)
    norm.running_var = norm.running_mean
    return norm


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(16),
        nn.BatchNorm2d(8, dtype=torch.float64),
        nn.BatchNorm2d(8, device="meta"),
        shared_moments(),
    ],
    ids=["other channels", "float64", "elsewhere", "moments in the same memory"],
)
def test_a_norm_of_another_kind_is_neither_read_nor_written(norm: nn.BatchNorm2d) -> None:
    assert not found().supports_norm(norm, 8)


@pytest.mark.parametrize(
    "call",
    [
        lambda code: code.sums(features((4, 12))),
        lambda code: code.sums(features((4, 8), torch.float64)),
        lambda code: code.sums(features((4, 8, 3, 3)).contiguous()),
        lambda code: code.scaled(features((4, 8)), torch.zeros(2, 7)),
        lambda code: code.scaled(features((4, 8)), torch.zeros(2, 8), features((4, 8))),
        lambda code: code.scaled(features((4, 8)), torch.zeros(3, 8), features((3, 8))),
        lambda code: code.moments(nn.BatchNorm1d(16), torch.zeros(17, dtype=torch.float64), 0.1),
        lambda code: code.gradient_sums(features((3, 8)), features((4, 8)), torch.zeros(2, 8, dtype=torch.float64)),
        lambda code: code.gradient_sums(features((4, 8)), features((4, 8)), torch.zeros(2, 8)),
        lambda code: code.max_pool(features((4, 8, 3, 3)).contiguous()),
        lambda code: code.max_pool_gradient(
            features((4, 8, 2, 2)), torch.zeros(31, dtype=torch.uint8), torch.Size((4, 8, 3, 3))
        ),
        lambda code: code.max_pool_gradient(
            features((4, 8, 3, 3)), torch.zeros(288, dtype=torch.uint8), torch.Size((4, 8, 3, 3))
        ),
        lambda code: code.conv_pool(
            torch.zeros(1, 1, 4, WIDEST + 1), torch.zeros(8, 1, 3, 3), torch.float32, places=False
        ),
        lambda code: code.conv_pool(torch.zeros(1, 2, 4, 4), torch.zeros(8, 1, 3, 3), torch.float32, places=False),
        lambda code: code.conv_pool(torch.zeros(1, 1, 4, 4), torch.zeros(8, 1, 5, 5), torch.float32, places=False),
        lambda code: code.conv_pool_gradient(
            features((1, 8, 2, 2)), torch.zeros(1, 1, 4, 5), torch.zeros(8, 1, 3, 3), torch.zeros(32, dtype=torch.uint8)
        ),
    ],
)
def test_no_function_is_given_the_address_of_what_it_does_not_know(call: object) -> None:
    assert callable(call)

    with pytest.raises(ValueError, match="needs "):
        call(found())
