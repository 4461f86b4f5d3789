from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from honshi.errors import DataNotFoundError, ImageError
from honshi.pictures import InputContract, Normalization, Scale
from honshi.pictures.prepare import prepare
from honshi.pictures.reader import LARGE, read

GREY = InputContract(shape=(1, 4, 4), normalization=Normalization(mean=(0.5,), std=(0.5,)))
COLOUR = replace(GREY, shape=(3, 4, 4))


def saved(path: Path, values: NDArray[np.generic]) -> Path:
    Image.fromarray(values).save(path)
    return path


# One scale for all pictures


@given(value=st.integers(0, 65535))
def test_16_bits_are_brought_to_8_by_one_scale(value: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = saved(tmp_path_factory.getbasetemp() / "deep.png", np.full((4, 4), value, np.uint16))

    assert prepare(path, GREY).unique().tolist() == [round(value / 257)]


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0), (0.2, 51), (1.0, 255)])
def test_floating_point_numbers_go_from_0_to_1(value: float, expected: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "float.tif", np.full((4, 4), value, np.float32))

    assert prepare(path, GREY).unique().tolist() == [expected]


@pytest.mark.parametrize("value", [-0.1, 1.5, 255.0, float("nan"), float("inf")])
def test_values_outside_the_scale_are_refused_and_the_scale_is_told(value: float, tmp_path: Path) -> None:
    values = np.zeros((4, 4), np.float32)
    values[2, 3] = value
    path = saved(tmp_path / "float.tif", values)

    with pytest.raises(ImageError, match=r"float\.tif: .* takes 0 for black and 1 for white"):
        prepare(path, GREY)


def test_32_bit_integers_have_the_scale_of_16(tmp_path: Path) -> None:
    assert prepare(saved(tmp_path / "a.tif", np.full((4, 4), 65535, np.int32)), GREY).unique().tolist() == [255]
    with pytest.raises(ImageError, match="values from 65536 to 65536"):
        prepare(saved(tmp_path / "b.tif", np.full((4, 4), 65536, np.int32)), GREY)


def test_another_scale_may_be_part_of_the_contract(tmp_path: Path) -> None:
    twelve_bits = replace(GREY, scale=Scale(integers=4095))
    path = saved(tmp_path / "deep.png", np.full((4, 4), 4095, np.uint16))

    assert prepare(path, twelve_bits).unique().tolist() == [255]


# Formats


@pytest.mark.parametrize("suffix", ["png", "jpg", "jfif", "bmp", "gif", "webp", "tif", "ppm", "avif", "jp2"])
def test_each_format_is_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.new("RGB", (16, 16), (200, 200, 200)).save(path, format="JPEG" if suffix == "jfif" else None)

    assert abs(prepare(path, COLOUR).int() - 200).max() <= 3


def test_postscript_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")

    with pytest.raises(ImageError, match="not an image that can be read"):
        prepare(path, GREY)


@pytest.mark.parametrize("mode", ["LAB", "YCbCr", "CMYK"])
@pytest.mark.parametrize("contract", [GREY, COLOUR], ids=["grey", "colour"])
def test_other_colour_spaces_are_read(mode: str, contract: InputContract, tmp_path: Path) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "picture.tif")

    assert prepare(tmp_path / "picture.tif", contract).shape == contract.shape


# Everything has a bound


def test_a_picture_too_large_is_refused_from_its_header(tmp_path: Path) -> None:
    """A GIF of a few bytes that says it has 65,535 x 65,535 pixels."""
    path = tmp_path / "bomb.gif"
    path.write_bytes(b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0;")

    with pytest.raises(ImageError, match=r"bomb\.gif: .*more than 175,000,000 pixels\. Scale it down"):
        prepare(path, GREY)


def test_a_webp_has_less_room_than_others(tmp_path: Path) -> None:
    Image.new("L", (5000, 4000)).save(tmp_path / "large.webp", method=0)

    with pytest.raises(ImageError, match="more than 18,000,000 pixels"):
        prepare(tmp_path / "large.webp", GREY)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16", "F"])
def test_a_large_picture_is_made_smaller_and_looks_the_same(mode: str, tmp_path: Path) -> None:
    """Dark on the left, light on the right, larger than what is read at once."""
    width = height = int(LARGE**0.5) + 200
    ramp = np.zeros((height, width), np.uint8)
    ramp[:, width // 2 :] = 255
    picture = Image.fromarray(ramp)
    if mode == "I;16":
        picture = Image.fromarray(ramp.astype(np.uint16) * 257)
    elif mode == "F":
        picture = Image.fromarray(ramp.astype(np.float32) / 255)
    else:
        picture = picture.convert(mode)
    path = tmp_path / "large.tif"
    picture.save(path)

    prepared = prepare(path, GREY)[0]

    assert read(path, GREY).picture.width <= width // 2 + 1
    assert prepared[:, 0].max() <= 20
    assert prepared[:, -1].min() >= 235


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")

    with pytest.raises(ImageError, match="pipe"):
        prepare(tmp_path / "pipe.png", GREY)


def test_a_link_that_leads_nowhere_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")

    with pytest.raises(DataNotFoundError, match=r"a\.png: there is no such file"):
        prepare(tmp_path / "a.png", GREY)


def test_a_name_that_no_file_can_have_is_told() -> None:
    with pytest.raises(ImageError, match=re.escape("the image cannot be read")):
        prepare("x" * 5000, GREY)


@given(
    content=st.binary(max_size=300),
    start=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"II*\0", b"BM", b"P5\n", b"GIF89a"]),
)
def test_what_begins_as_a_picture_and_goes_on_as_anything_is_read_or_refused(
    content: bytes, start: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything"
    path.write_bytes(start + content)

    with suppress(ImageError):
        assert prepare(path, GREY).shape == (1, 4, 4)


def test_a_progressive_jpeg_has_a_smaller_bound_than_a_plain_one(tmp_path: Path) -> None:
    picture = Image.new("L", (5001, 5000))
    picture.save(tmp_path / "plain.jpg")
    picture.save(tmp_path / "progressive.jpg", progressive=True)

    assert read(tmp_path / "plain.jpg", GREY).picture.mode == "L"
    with pytest.raises(ImageError, match=r"progressive\.jpg: .*more than 25,000,000 pixels"):
        read(tmp_path / "progressive.jpg", GREY)
