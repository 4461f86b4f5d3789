"""Pictures become tensors as the lecture's transforms make them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from honshi.errors import ArgumentError, DataError
from honshi.lecture import transforms

PIXELS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5)))


@given(PIXELS)
def test_bytes_become_numbers_from_0_to_1(pixels: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> None:
    expected = torch.from_numpy(pixels.astype(np.float32) / np.float32(255)).unsqueeze(0)

    for picture in (pixels, Image.fromarray(pixels)):
        assert torch.equal(transforms.ToTensor()(picture), expected)


def test_channels_come_first() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)

    assert torch.equal(transforms.ToTensor()(pixels)[1] * 255, torch.from_numpy(pixels[:, :, 1]).float())


@given(PIXELS, st.floats(-1, 1), st.floats(0.1, 2))
def test_normalised_is_without_the_mean_and_by_the_deviation(
    pixels: np.ndarray[tuple[int, int], np.dtype[np.uint8]], mean: float, std: float
) -> None:
    tensor = transforms.ToTensor()(pixels)

    normalised = transforms.Compose([transforms.ToTensor(), transforms.Normalize((mean,), (std,))])(pixels)

    torch.testing.assert_close(normalised, (tensor - mean) / std)


@pytest.mark.parametrize("picture", [np.zeros((2, 2), np.float32), np.zeros(3, np.uint8)])
def test_what_is_no_picture_is_refused(picture: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    with pytest.raises(ArgumentError, match="ToTensor takes a picture"):
        transforms.ToTensor()(picture)  # type: ignore[arg-type]


@pytest.mark.parametrize("tensor", [torch.zeros(1, 2, 2, dtype=torch.uint8), torch.zeros(2, 2, 2), torch.zeros(2, 2)])
def test_what_is_not_what_totensor_gives_is_refused(tensor: torch.Tensor) -> None:
    with pytest.raises(ArgumentError, match="as ToTensor gives them"):
        transforms.Normalize((0.5,) * 3, (0.5,) * 3)(tensor)


def test_a_deviation_of_0_is_refused() -> None:
    with pytest.raises(DataError, match="a deviation above 0"):
        transforms.Normalize((0.5,), (0.0,))
