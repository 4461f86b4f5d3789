from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

import honshi
from honshi.pictures.digits import bring_into_form, has_form, in_form
from honshi.pictures.prepare import prepare

Light = NDArray[np.float64]

# Side of the pictures.
SIDE = 280
NOISE = np.random.default_rng(0).normal(0, 5, (SIDE, SIDE))
ROWS, COLUMNS = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]


def drawn(mnist: honshi.Splits, place: int, size: int = 200, top: int = 40, left: int = 40) -> Light:
    """A validation image as a pen would have drawn it in a picture of its own, 1 where the pen went."""
    image = Image.fromarray(mnist.val.pixels[place, 0].numpy()).resize((size, size), Image.Resampling.BICUBIC)
    whole = np.zeros((SIDE, SIDE))
    whole[top : top + size, left : left + size] = np.clip((np.asarray(image) / 255 - 0.3) * 3, 0, 1)
    return whole


def shadow(edge: Light) -> Light:
    return np.where(edge > 0, 100.0, 225.0)


# What a page looks like, from what was drawn on it (0 to 1) to its light (0 to 255).
PAGES: dict[str, Callable[[Light], Light]] = {
    "black on white": lambda ink: 255 * (1 - ink),
    "grey on grey": lambda ink: 200 - 60 * ink,
    "faint": lambda ink: 240 - 40 * ink,
    "chalk": lambda ink: 40 + 180 * ink,
    "light from a side": lambda ink: (120 + 110 * COLUMNS) * (1 - 0.6 * ink) + NOISE,
    "dark corners": lambda ink: (230 - 180 * ((ROWS - 0.5) ** 2 + (COLUMNS - 0.5) ** 2)) * (1 - 0.6 * ink) + NOISE,
    "a shadow from above": lambda ink: shadow(0.5 - ROWS) * (1 - 0.6 * ink) + NOISE,
    "a slanting shadow": lambda ink: shadow(ROWS + COLUMNS - 1) * (1 - 0.6 * ink) + NOISE,
    "ruled": lambda ink: np.minimum(np.where(np.arange(SIDE)[:, None] % 40 < 2, 170, 245), 245 - 200 * ink),
    "specks": lambda ink: 255 * (1 - np.maximum(ink, (ROWS * 270 % 90 < 3) & (COLUMNS * 270 % 90 < 3) & (ROWS < 0.1))),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_digit_on_any_page_becomes_what_mnist_would_hold(page: str, mnist: honshi.Splits) -> None:
    """Drawn from MNIST's own images, so that what must come out is known: nearly the same pixels."""
    agreements = []
    for place in range(12):
        light = PAGES[page](drawn(mnist, place)).clip(0, 255).astype(np.uint8)
        formed = bring_into_form(Image.fromarray(light))
        assert formed is not None
        assert in_form(formed[None])
        wanted = mnist.val.pixels[place, 0].numpy()
        agreements.append(np.corrcoef(formed.ravel(), wanted.ravel())[0, 1])

    assert np.median(agreements) > 0.85
    assert min(agreements) > 0.7


@pytest.mark.parametrize(("size", "top", "left"), [(200, 0, 80), (60, 200, 10), (40, 120, 120), (278, 1, 1)], ids=str)
def test_neither_size_nor_place_matters(size: int, top: int, left: int, mnist: honshi.Splits) -> None:
    for place in range(6):
        light = 255 * (1 - drawn(mnist, place, size, top, left))
        formed = bring_into_form(Image.fromarray(light.astype(np.uint8)))
        assert formed is not None
        assert np.corrcoef(formed.ravel(), mnist.val.pixels[place, 0].numpy().ravel())[0, 1] > 0.75


def test_a_small_digit_in_a_large_photograph_is_looked_at_closely(mnist: honshi.Splits) -> None:
    page = np.full((1500, 2000), 220.0)
    page[900 : 900 + SIDE, 1100 : 1100 + SIDE] -= 150 * drawn(mnist, 0)
    photograph = Image.fromarray(page.astype(np.uint8)).filter(ImageFilter.GaussianBlur(2))

    formed = bring_into_form(photograph)

    assert formed is not None
    assert np.corrcoef(formed.ravel(), mnist.val.pixels[0, 0].numpy().ravel())[0, 1] > 0.85


def test_a_thin_line_gets_the_width_of_a_pen() -> None:
    page = np.full((SIDE, SIDE), 255, np.uint8)
    page[40:240, 139:141] = 0

    formed = bring_into_form(Image.fromarray(page))

    assert formed is not None
    assert (formed.max(), (formed > 128).sum(1).max()) == (255, 2)


@pytest.mark.parametrize("light", [0, 90, 255])
def test_where_nothing_is_drawn_nothing_is_made_of_it(light: int) -> None:
    assert bring_into_form(Image.new("L", (100, 60), light)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (5, 900)], ids=str)
def test_any_size_is_looked_at(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, size, np.uint8)

    formed = bring_into_form(Image.fromarray(noise))

    assert formed is None or formed.shape == (28, 28)


# Which pictures and which data sets are in the form


def test_mnist_has_the_form_and_so_has_a_part_of_it(mnist: honshi.Splits) -> None:
    assert mnist.train.contract.form == "mnist"
    assert mnist.train.subset(range(5)).contract.form == "mnist"
    assert all(in_form(image) for image in mnist.val.pixels)


def test_data_that_were_not_made_so_have_no_form(mnist: honshi.Splits) -> None:
    some = mnist.val.pixels[:200]

    assert not has_form(255 - some)
    assert not has_form(some.roll(3, -1))
    assert not has_form(some.repeat(1, 3, 1, 1))
    assert not has_form(torch.nn.functional.interpolate(some, 32))
    assert not has_form(some[:0])


def test_pictures_in_the_form_pass_unchanged(mnist: honshi.Splits) -> None:
    contract = mnist.train.contract

    for pixels in mnist.val.pixels[:50]:
        assert torch.equal(prepare(Image.fromarray(pixels[0].numpy()), contract), pixels)


def test_pictures_in_the_form_but_for_dark_and_light_are_only_inverted(mnist: honshi.Splits) -> None:
    for pixels in mnist.val.pixels[:50]:
        assert torch.equal(prepare(Image.fromarray(255 - pixels[0].numpy()), mnist.train.contract), pixels)


def test_without_a_form_in_the_contract_a_picture_is_taken_as_it_is(mnist: honshi.Splits) -> None:
    ink = 255 - mnist.val.pixels[0]

    assert torch.equal(prepare(Image.fromarray(ink[0].numpy()), replace(mnist.train.contract, form=None)), ink)


def test_the_form_is_brought_into_the_size_and_channels_of_another_contract(mnist: honshi.Splits) -> None:
    ink = Image.fromarray(255 - mnist.val.pixels[0, 0].numpy())

    assert prepare(ink, replace(mnist.train.contract, shape=(3, 32, 32))).shape == (3, 32, 32)
