"""The C code of the layers, beside torch, for features and pictures of any size.

What autograd and the layers of a model make of it is in test_convolution.py and test_max_pool.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from honshi.native.kernels import LANES, WIDEST, Kernels, kernels


def found() -> Kernels:
    there = kernels()
    assert there is not None
    return there


def drawn(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def features(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    numbers = drawn(shape, seed).to(dtype)
    return numbers.to(memory_format=torch.channels_last) if len(shape) == 4 else numbers


def filters(count: int) -> Tensor:
    return drawn((count, 1, 3, 3), seed=2)


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


dtypes = st.sampled_from([torch.float32, torch.bfloat16])
channels = st.integers(1, 5).map(lambda vectors: vectors * LANES)
# Smaller than a window, prime, and large enough for several threads.
sides = st.sampled_from([1, 2, 3, 5, 13, 31])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(b=st.integers(0, 5), c=channels, h=sides, w=sides, dtype=dtypes)
def test_max_pooling_and_its_gradient_are_those_of_torch(
    b: int, c: int, h: int, w: int, dtype: torch.dtype, threads: int
) -> None:
    inputs = features((b, c, h, w), dtype)
    exact = inputs.clone().requires_grad_()
    expected = max_pool2d(exact, 2, ceil_mode=True) if b else inputs.new_zeros(b, c, -(-h // 2), -(-w // 2))
    upstream = features(tuple(expected.shape), dtype, seed=1)

    outputs, places = found().max_pool(inputs)
    at_inputs = found().max_pool_gradient(upstream, places, inputs.shape)

    assert found().supports(inputs)
    assert outputs.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(outputs, expected.detach(), rtol=0, atol=0)
    if b:
        (expected_at_inputs,) = torch.autograd.grad(expected, exact, upstream)
        torch.testing.assert_close(at_inputs, expected_at_inputs, rtol=0, atol=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(b=st.integers(0, 5), c=channels, h=sides, w=sides, dtype=dtypes)
def test_a_convolution_with_pooling_and_its_gradient_are_those_of_torch(
    b: int, c: int, h: int, w: int, dtype: torch.dtype, threads: int
) -> None:
    pictures, weight = drawn((b, 1, h, w)), filters(c)
    exact = weight.double().requires_grad_()
    expected = max_pool2d(conv2d(pictures.double(), exact, padding=1), 2, ceil_mode=True) if b else None
    size = (b, c, -(-h // 2), -(-w // 2))
    upstream = features(size, dtype, seed=1)

    outputs, places = found().conv_pool(pictures, weight, dtype, places=True)
    assert places is not None
    at_filters = found().conv_pool_gradient(upstream, pictures, weight, places)
    alone, none = found().conv_pool(pictures, weight, dtype, places=False)

    assert found().supports_pictures(pictures, weight)
    assert none is None
    assert torch.equal(alone, outputs)
    assert outputs.shape == size
    if expected is None:
        assert not at_filters.any()
        return
    near = {torch.float32: 1e-5, torch.bfloat16: 1e-2}[dtype]
    torch.testing.assert_close(outputs.double(), expected.detach(), rtol=near, atol=near)
    (expected_at_filters,) = torch.autograd.grad(expected, exact, upstream.double())
    # Where two pixels of a window are as large as one another within rounding, either may have the gradient.
    torch.testing.assert_close(at_filters.double(), expected_at_filters, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 12, 4, 4), (2, 8), (2, 8, 0, 4), (2, 0, 4, 4), (2, 8, 4)], ids=str)
def test_features_of_other_shapes_are_not_supported(shape: tuple[int, ...]) -> None:
    assert not found().supports(features(shape))


@pytest.mark.parametrize(
    "pictures",
    [
        torch.zeros(2, 3, 4, 4),
        torch.zeros(2, 1, 4, 4, dtype=torch.float64),
        torch.zeros(2, 1, 4, WIDEST + 1),
        torch.zeros(2, 1, 0, 4),
        torch.zeros(2, 1, 4, 4, device="meta"),
        torch.zeros(2, 1, 4),
    ],
    ids=["colour", "float64", "too wide", "no line", "elsewhere", "three dimensions"],
)
def test_other_pictures_are_not_supported(pictures: Tensor) -> None:
    assert not found().supports_pictures(pictures, filters(8))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_so_few_filters_are_not_supported(count: int) -> None:
    assert not found().supports_pictures(torch.zeros(2, 1, 4, 4), filters(count))


def test_without_threads_of_torch_only_one_thread_is_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Kernels(found().code, None)
    assert alone.supports(features((2, 8, 4, 4)))

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert not alone.supports(features((2, 8, 4, 4)))


@pytest.mark.parametrize(
    "call",
    [
        lambda code: code.max_pool(features((4, 12, 3, 3))),
        lambda code: code.max_pool(features((4, 8, 3, 3), torch.float64)),
        lambda code: code.max_pool(features((4, 8, 3, 3), torch.float16)),
        lambda code: code.max_pool(features((4, 8))),
        lambda code: code.max_pool(features((4, 8, 3, 3)).to("meta")),
        lambda code: code.max_pool(features((1, 8, 3, 3)).expand(4, 8, 3, 3)),
        lambda code: code.max_pool(features((4, 8, 3, 6))[..., ::2]),
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
        lambda code: code.conv_pool(torch.zeros(1, 1, 4, 4), torch.zeros(5, 1, 3, 3), torch.float32, places=False),
        lambda code: code.conv_pool(torch.zeros(1, 1, 4, 4), torch.zeros(8, 1, 3, 3), torch.float64, places=False),
        lambda code: code.conv_pool(torch.zeros(1, 1, 4, 8)[..., ::2], filters(8), torch.float32, places=False),
        lambda code: code.conv_pool(torch.zeros(4, 4), torch.zeros(8, 1, 3, 3), torch.float32, places=False),
        lambda code: code.conv_pool(torch.zeros(1, 2, 4, 4), torch.zeros(8, 1, 3, 3), torch.float32, places=False),
        lambda code: code.conv_pool(torch.zeros(1, 1, 4, 4), torch.zeros(8, 1, 5, 5), torch.float32, places=False),
        lambda code: code.conv_pool_gradient(
            features((1, 8, 2, 2)), torch.zeros(1, 1, 4, 5), torch.zeros(8, 1, 3, 3), torch.zeros(32, dtype=torch.uint8)
        ),
        lambda code: code.conv_pool_gradient(
            features((1, 8, 2, 2)), torch.zeros(1, 1, 4, 4), filters(16), torch.zeros(32, dtype=torch.uint8)
        ),
        lambda code: code.conv_pool_gradient(
            features((1, 8, 2, 2)), torch.zeros(1, 1, 4, 4), filters(8), torch.zeros(31, dtype=torch.uint8)
        ),
    ],
)
def test_no_function_is_given_the_address_of_what_it_does_not_know(call: object) -> None:
    assert callable(call)

    with pytest.raises(ValueError, match="needs "):
        call(found())
