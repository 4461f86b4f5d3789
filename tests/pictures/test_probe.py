from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from honshi.errors import DataNotFoundError, ImageError
from honshi.pictures import Scale
from honshi.pictures.facts import Facts
from honshi.pictures.probe import is_colourful, probe


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    content = BytesIO()
    picture.save(content, form, **options)
    return content.getvalue()


@pytest.mark.parametrize(
    ("mode", "form", "channels"),
    [
        ("1", "PNG", 1),
        ("L", "JPEG", 1),
        ("LA", "PNG", 1),
        ("P", "GIF", 3),
        ("RGB", "JPEG", 3),
        ("RGBA", "WEBP", 3),
        ("CMYK", "JPEG", 3),
        ("LAB", "TIFF", 3),
    ],
)
def test_its_size_and_whether_it_can_hold_colours(mode: str, form: str, channels: int) -> None:
    red = Image.new("RGB", (7, 5), "red")
    picture = red.quantize(4) if mode == "P" else Image.new(mode, (7, 5))

    assert probe(encoded(picture, form)) == Facts(width=7, height=5, channels=3 if channels == 3 else 1)


def test_a_palette_of_greys_is_grey() -> None:
    assert probe(encoded(Image.new("L", (7, 5), 80).convert("P"))).channels == 1


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_its_size_is_that_in_which_it_is_shown(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    facts = probe(encoded(Image.new("RGB", (7, 5)), form, exif=exif))

    assert (facts.width, facts.height) == ((5, 7) if orientation > 4 else (7, 5))


@pytest.mark.parametrize(
    ("values", "kind", "highest"),
    [(np.array([[3, 4095]], np.uint16), "integers", 4095), (np.array([[0.25, 0.5]], np.float32), "floats", 0.5)],
)
def test_values_of_more_than_8_bits_are_looked_at(values: Any, kind: str, highest: float) -> None:
    for source in (values, encoded(Image.fromarray(values), "TIFF")):
        facts = probe(source)
        assert (facts.kind, facts.lowest, facts.highest) == (kind, values.min(), highest)


def test_a_pgm_says_itself_what_is_white() -> None:
    assert probe(b"P5\n2 1\n4095\n\x0f\xff\x00\x00").highest == 65535


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), 3.4e38])
def test_values_that_are_no_brightness_are_refused_by_name(value: float) -> None:
    with pytest.raises(ImageError, match=r"b/c\.tif: it has values from .*Shift or scale all pictures alike"):
        probe(np.array([[0, value]], np.float32), where="b/c.tif")


def test_an_animation_holds_several_pictures(tmp_path: Path) -> None:
    frames = [Image.new("L", (3, 3), light) for light in (0, 200)]
    for form in ("GIF", "PNG", "WEBP", "TIFF", "AVIF"):
        assert probe(encoded(frames[0], form, save_all=True, append_images=frames[1:])).several, form
        assert not probe(encoded(frames[0], form)).several, form


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataNotFoundError, match=r"nowhere\.png: there is no such file"):
        probe("nowhere.png")


# Colours that are there


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_grey_picture_saved_in_colour_has_none(form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 70), np.uint8)
    grey = Image.fromarray(noise).convert("RGB")
    red = grey.copy()
    red.paste((200, 20, 20), (10, 10, 20, 20))

    assert not is_colourful(encoded(grey, form))
    assert is_colourful(encoded(red, form))
    assert not is_colourful(np.asarray(grey))
    assert is_colourful(np.asarray(red).astype(np.uint16) * 16)


# One scale for a data set


def whites(kind: Any, *highest: float) -> Scale:
    return Scale.of(Facts(width=1, height=1, channels=1, kind=kind, highest=value) for value in highest)


@pytest.mark.parametrize(
    ("highest", "white"),
    [(0, 1), (1, 1), (16, 16), (17, 32), (200, 255), (1000, 1023), (4000, 4095), (16384, 65535), (65536, 131071)],
)
def test_white_is_what_so_many_bits_can_hold(highest: int, white: int) -> None:
    assert whites("integers", 0, highest, 1) == Scale(integers=white)


@pytest.mark.parametrize(
    ("highest", "white"),
    [(0.3, 1), (1, 1), (1.0004, 1), (1.5, 2), (10.7, 16), (254.9, 255), (255.0001, 255), (300, 1023)],
)
def test_white_of_floating_point_numbers(highest: float, white: float) -> None:
    assert whites("floats", 0.1, highest) == Scale(floats=white)


def test_pictures_of_8_bits_say_nothing_of_the_scale_of_others() -> None:
    assert whites("8 bit", 255) == Scale()
