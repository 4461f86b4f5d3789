from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.native.calls import counted
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.flop_counter import FlopCounterMode

from honshi.native.convolution import conv_pool
from honshi.native.kernels import GRAIN, WIDEST, kernels

REDUCED = torch.autocast("cpu", torch.bfloat16)


def pictures(*shape: int) -> Tensor:
    """Small whole numbers, of which no sum is rounded, so that many sums are equal."""
    draws = torch.Generator().manual_seed(sum(shape))
    return torch.randint(-2, 3, shape, generator=draws).float()


def pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(2, ceil_mode=True)


def stage_of(filters: int, *others: nn.Module, channels: int = 1) -> nn.Sequential:
    """A convolution, and what comes behind it; pooling where nothing is said."""
    convolution = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(pictures(filters, channels, 3, 3))
    stage = nn.Sequential(convolution, *(others or (pool(),)))
    stage.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return stage


def computed(stage: nn.Sequential, images: Tensor) -> Tensor:
    """What the first two layers of a stage make of images, as this room computes them."""
    return conv_pool(stage[0], stage[1], images)


def gradient(outputs: Tensor, stage: nn.Sequential, upstream: Tensor | None = None) -> Tensor:
    """At the filters of a stage."""
    weight = stage[0].weight
    assert isinstance(weight, Tensor)
    return torch.autograd.grad(outputs, weight, torch.ones_like(outputs) if upstream is None else upstream)[0]


def compare(
    stage: nn.Sequential,
    images: Tensor,
    *,
    compiled: bool,
    within: AbstractContextManager[None] | None = None,
) -> None:
    """Outputs and gradient are, bit by bit, those of torch; and they come from the kernels, or do not."""
    with within or nullcontext():
        expected = stage(images)
        with counted() as calls:
            found = computed(stage, images)
    draws = torch.Generator().manual_seed(0)
    upstream = torch.randint(-2, 3, expected.shape, generator=draws).to(expected.dtype)
    at_weight = gradient(expected, stage, upstream)
    with counted() as calls_back:
        ours = gradient(found, stage, upstream)

    assert (calls["conv_pool"], calls_back["conv_pool_gradient"]) == ((1, 1) if compiled else (0, 0))
    assert found.dtype == expected.dtype
    assert ours.stride() == at_weight.stride()
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(ours, at_weight, rtol=0, atol=0, equal_nan=True)


sizes = st.tuples(st.integers(1, 3), st.just(1), st.integers(1, 9), st.integers(1, 9))


@settings(deadline=None)
@given(shape=sizes, filters=st.sampled_from([8, 16, 24]))
def test_it_is_convolution_and_pooling_of_torch_at_any_size(shape: tuple[int, ...], filters: int) -> None:
    compare(stage_of(filters), pictures(*shape), compiled=True)


# Features of 16 bits are rounded by torch before pooling and here behind it, so the numbers are small enough for both.
@settings(deadline=None)
@given(shape=sizes)
def test_reduced_features_are_those_of_torch(shape: tuple[int, ...]) -> None:
    compare(stage_of(8), pictures(*shape), compiled=True, within=REDUCED)


def test_numbers_of_any_size_are_right_within_rounding() -> None:
    torch.manual_seed(0)
    stage = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.MaxPool2d(2))
    images, upstream = torch.randn(20, 1, 28, 28), torch.randn(20, 16, 14, 14)
    exact = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.MaxPool2d(2)).double()
    exact.load_state_dict(stage.state_dict())
    found, expected = computed(stage, images), exact(images.double())
    ours = gradient(found, stage, upstream)
    at_weight = gradient(expected, exact, upstream.double())

    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.double(), at_weight, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_goes_where_torch_lets_it_go(value: float) -> None:
    images = pictures(2, 1, 6, 6)
    images[1, 0, 2, 3] = value
    stage = stage_of(8)
    expected, found = stage(images), computed(stage, images)

    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def test_no_image_gives_no_gradient() -> None:
    stage = stage_of(8)
    found = computed(stage, pictures(0, 1, 6, 6))
    ours = gradient(found.sum(), stage)

    assert found.shape == (0, 8, 3, 3)
    assert not ours.any()


def test_the_number_of_threads_changes_nothing() -> None:
    torch.manual_seed(0)
    stage = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.MaxPool2d(2))
    images, before, found = torch.randn(16, 1, 28, 28), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            features = computed(stage, images)
            assert features.numel() > GRAIN
            found.append((features, gradient(features.square().sum(), stage)))
    finally:
        torch.set_num_threads(before)

    for features, at_weight in found[1:]:
        assert torch.equal(features, found[0][0])
        assert torch.equal(at_weight, found[0][1])


def test_pictures_that_are_a_part_of_others_are_seen_as_they_are() -> None:
    whole = pictures(4, 1, 9, 11)

    compare(stage_of(8), whole[1:3, :, 1:7, 2:8], compiled=True)
    compare(stage_of(8), whole.flip(-1), compiled=True)


def test_without_gradients_it_is_the_same() -> None:
    stage, images = stage_of(8), pictures(2, 1, 7, 6)
    with torch.no_grad():
        found = computed(stage, images)

    assert not found.requires_grad
    assert torch.equal(found, stage(images))


def test_any_number_of_filters_is_computed() -> None:
    stage, images = stage_of(1 << 17), pictures(1, 1, 2, 2)
    expected, found = stage(images), computed(stage, images)
    at_weight, ours = gradient(expected, stage), gradient(found, stage)

    assert torch.equal(found, expected)
    assert torch.equal(ours, at_weight)


def with_its_own_forward(stage: nn.Sequential, layer: int) -> nn.Sequential:
    given = stage[layer].forward
    stage[layer].forward = lambda features: given(features) + 1
    return stage


def with_a_hook(stage: nn.Sequential, layer: int) -> nn.Sequential:
    stage[layer].register_forward_hook(lambda module, inputs, outputs: outputs + 1)
    return stage


@pytest.mark.parametrize(
    ("stage", "images"),
    [
        (stage_of(8), pictures(2, 1, 6, 6).requires_grad_()),
        (stage_of(8).double(), pictures(2, 1, 6, 6).double()),
        (stage_of(8), pictures(1, 6, 6)),
        (stage_of(8), pictures(1, 1, 1, WIDEST + 1)),
        (stage_of(8, nn.MaxPool2d(2)), pictures(2, 1, 7, 6)),
        (with_a_hook(stage_of(8), 0), pictures(2, 1, 6, 6)),
        (with_a_hook(stage_of(8), 1), pictures(2, 1, 6, 6)),
        (with_its_own_forward(stage_of(8), 0), pictures(2, 1, 6, 6)),
        (with_its_own_forward(stage_of(8), 1), pictures(2, 1, 6, 6)),
    ],
    ids=[
        "a gradient at the images",
        "float64",
        "one image",
        "very wide",
        "the edge is left out",
        "a hook at the convolution",
        "a hook at the pooling",
        "a forward of the convolution",
        "a forward of the pooling",
    ],
)
def test_what_the_kernels_do_not_know_torch_computes(stage: nn.Sequential, images: Tensor) -> None:
    compare(stage, images, compiled=False)


def test_other_kinds_of_reduced_precision_are_computed_by_torch() -> None:
    compare(stage_of(8), pictures(2, 1, 6, 6), compiled=False, within=torch.autocast("cpu", torch.float16))


def test_another_number_of_channels_is_refused_as_by_torch() -> None:
    with pytest.raises(RuntimeError, match="channels"):
        computed(stage_of(8), pictures(2, 3, 6, 6))


def test_what_a_hook_of_all_modules_wants_to_see_torch_computes() -> None:
    seen = []
    hook = register_module_forward_hook(lambda module, inputs, outputs: seen.append(type(module)))
    try:
        computed(stage_of(8), pictures(2, 1, 6, 6))
    finally:
        hook.remove()

    assert seen == [nn.Conv2d, nn.MaxPool2d]


def test_what_is_counted_operation_by_operation_torch_computes() -> None:
    with FlopCounterMode(display=False) as counted:
        computed(stage_of(8), pictures(2, 1, 6, 6))

    assert counted.get_total_flops() > 0


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own use of it
def test_derivatives_forward_are_torchs() -> None:
    stage, images = stage_of(8), pictures(2, 1, 6, 6)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(images, torch.ones_like(images))
        ours, theirs = (
            torch.autograd.forward_ad.unpack_dual(run(dual)).tangent
            for run in (lambda inputs: computed(stage, inputs), stage)
        )

    assert torch.equal(ours, theirs)


def test_a_part_of_a_larger_memory_is_refused_where_the_memory_is_gone() -> None:
    images = pictures(2, 1, 6, 6)
    found = kernels()
    assert found is not None
    images.untyped_storage().resize_(0)

    with pytest.raises(ValueError, match="in order on the CPU"):
        found.conv_pool(images, pictures(8, 1, 3, 3), torch.float32, places=False)


def test_where_they_cannot_be_compiled_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("honshi.native.convolution.kernels", lambda: None)

    compare(stage_of(8), pictures(2, 1, 6, 6), compiled=False)


def test_what_torch_looks_through_torch_computes() -> None:
    stage, images = stage_of(8), pictures(2, 1, 6, 6)
    run: Callable[[Tensor], Tensor] = torch.compile(
        lambda images: computed(stage, images), backend="eager", fullgraph=True
    )

    apart = torch.func.vmap(lambda images: computed(stage, images))(images.unsqueeze(0))

    assert torch.equal(apart[0], stage(images))
    assert torch.equal(run(images), stage(images))


def test_other_defaults_of_torch_change_nothing() -> None:
    stage, images = stage_of(8), pictures(2, 1, 6, 6)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        found = computed(stage, images)
        ours = gradient(found, stage)
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)

    expected = stage(images)
    at_weight = gradient(expected, stage)
    assert torch.equal(found, expected)
    assert torch.equal(ours, at_weight)


@pytest.mark.parametrize(
    ("stage", "compiled"),
    [
        (stage_of(8), True),
        (nn.Sequential(nn.Conv2d(1, 8, 3, padding="same", bias=False), pool()), True),
        (nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), pool()), False),
        (nn.Sequential(nn.Conv2d(1, 8, 3, bias=False), pool()), False),
        (nn.Sequential(nn.Conv2d(1, 8, 5, padding=1, bias=False), pool()), False),
        (nn.Sequential(nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False), pool()), False),
        (nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, dilation=2, bias=False), pool()), False),
        (nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, padding_mode="circular", bias=False), pool()), False),
        (stage_of(8, channels=3), False),
        (stage_of(12), False),
        (stage_of(8, nn.MaxPool2d(3)), False),
        (stage_of(8, nn.AvgPool2d(2)), False),
        (nn.Sequential(nn.Identity(), pool()), False),
    ],
)
def test_which_layers_are_compiled_and_all_compute_what_torch_computes(stage: nn.Sequential, compiled: bool) -> None:
    images = pictures(2, stage_channels(stage), 6, 6)
    found = computed(stage, images)

    assert ("_ConvPool" in type(found.grad_fn).__name__) is compiled
    torch.testing.assert_close(found, stage(images), rtol=1e-5, atol=1e-5)


def stage_channels(stage: nn.Sequential) -> int:
    first = stage[0]
    return first.in_channels if isinstance(first, nn.Conv2d) else 8
