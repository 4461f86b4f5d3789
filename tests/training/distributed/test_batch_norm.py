from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from honshi.training.distributed import ALONE
from honshi.training.distributed.batch_norm import normalised

Norm = nn.BatchNorm1d | nn.BatchNorm2d


def images(*shape: int, mean: float = 5.0) -> Tensor:
    draws = torch.Generator().manual_seed(sum(shape))
    numbers = mean + 2 * torch.randn(shape, generator=draws)
    return numbers.to(memory_format=torch.channels_last) if len(shape) == 4 else numbers


def without_bias(norm: Norm) -> Norm:
    norm.register_parameter("bias", None)
    return norm


def compare(norm: Norm, inputs: Tensor, tolerance: float = 1e-5) -> None:
    """Outputs, gradients and running moments of one process are those of torch's layer."""
    with torch.no_grad():
        for number, parameter in enumerate(norm.parameters()):
            parameter.copy_(torch.linspace(0.5, 1.5 + number, len(parameter)))
    theirs = copy.deepcopy(norm)
    inputs.requires_grad_()
    for _ in range(2):
        expected, found = theirs(inputs), normalised(ALONE, norm, inputs)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0)).to(expected.dtype)
    at = [inputs, *norm.parameters()]
    ours = torch.autograd.grad(found, at, upstream)
    at = [inputs, *theirs.parameters()]

    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    for one, other in zip(ours, torch.autograd.grad(expected, at, upstream), strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * float(other.abs().max()))
    for one, other in zip(norm.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("norm", "inputs"),
    [
        (nn.BatchNorm1d(16), images(9, 16)),
        (nn.BatchNorm2d(24), images(9, 24, 5, 4)),
        (nn.BatchNorm2d(8), images(40, 8, 14, 14)),
        (nn.BatchNorm2d(320), images(9, 320, 2, 2)),
        (nn.BatchNorm2d(8, affine=False), images(9, 8, 5, 4)),
        (without_bias(nn.BatchNorm2d(8)), images(9, 8, 5, 4)),
        (nn.BatchNorm2d(8, momentum=None), images(9, 8, 5, 4)),
        (nn.BatchNorm2d(8, track_running_stats=False), images(9, 8, 5, 4)),
        (nn.BatchNorm2d(8), images(9, 8, 5, 4).contiguous()),
        (nn.BatchNorm2d(3), images(9, 3, 5, 4)),
        (nn.BatchNorm2d(8).double(), images(9, 8, 5, 4).double()),
    ],
    ids=[
        "flat",
        "images",
        "several blocks",
        "many channels",
        "without weights",
        "without a bias",
        "mean of all steps",
        "without running moments",
        "channels apart",
        "few channels",
        "float64",
    ],
)
def test_it_is_the_batch_norm_of_torch(norm: Norm, inputs: Tensor) -> None:
    compare(norm, inputs)


@pytest.mark.parametrize("channels", [16, 8])
def test_another_number_of_channels_is_refused_as_by_torch(channels: int) -> None:
    norm = nn.BatchNorm2d(24)

    with pytest.raises(RuntimeError, match="24"):
        normalised(ALONE, norm, images(9, channels, 5, 4))


def test_features_of_16_bits_stay_so() -> None:
    compare(nn.BatchNorm2d(16), images(9, 16, 5, 4).bfloat16(), tolerance=0.02)


def test_a_large_mean_costs_no_digits() -> None:
    norm = nn.BatchNorm2d(8)
    inputs = images(9, 8, 5, 4, mean=1000)
    exact = inputs.double()
    deviation = exact.var((0, 2, 3), correction=0, keepdim=True).sqrt()

    found = normalised(ALONE, norm, inputs)

    torch.testing.assert_close(
        found.double(), (exact - exact.mean((0, 2, 3), keepdim=True)) / deviation, rtol=0, atol=1e-3
    )


def test_without_any_image_nothing_moves() -> None:
    norm = nn.BatchNorm2d(8)

    outputs = normalised(ALONE, norm, images(0, 8, 5, 4).requires_grad_())
    outputs.sum().backward()

    assert outputs.shape == (0, 8, 5, 4)
    assert norm.num_batches_tracked == 0
    assert norm.running_mean is not None
    assert not norm.running_mean.any()
    assert norm.weight.grad is not None
    assert not norm.weight.grad.any()


def test_other_defaults_of_torch_change_nothing() -> None:
    inputs = images(9, 8, 5, 4).requires_grad_()
    expected = normalised(ALONE, nn.BatchNorm2d(8), inputs)
    (at_inputs,) = torch.autograd.grad(expected.square().sum(), inputs)
    norm, before = nn.BatchNorm2d(8), torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        found = normalised(ALONE, norm, inputs)
        (ours,) = torch.autograd.grad(found.square().sum(), inputs)
    finally:
        torch.set_default_dtype(before)

    assert torch.equal(found, expected)
    assert torch.equal(ours, at_inputs)


def test_in_eval_mode_the_running_moments_are_used() -> None:
    norm = nn.BatchNorm2d(8).eval()
    inputs = images(9, 8, 5, 4)

    assert torch.equal(normalised(ALONE, norm, inputs), norm(inputs))
