from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

import honshi
from honshi.errors import DataNotFoundError, ImageError
from honshi.pictures import Normalization, Preprocessing
from honshi.pictures.prepare import look_inverted, prepare


@pytest.fixture
def preprocessing(mnist: honshi.Splits) -> Preprocessing:
    """What a model of MNIST wants, of pictures that are taken as they are."""
    return replace(mnist.train.preprocessing, form=None)


def digit(mnist: honshi.Splits, label: int) -> Tensor:
    """The first validation image of a class, uint8 (28, 28)."""
    return mnist.val.pixels[int((mnist.val.labels == label).nonzero()[0]), 0]


@pytest.fixture
def seven(mnist: honshi.Splits) -> Image.Image:
    return Image.fromarray(digit(mnist, 7).numpy())


@pytest.fixture
def colour() -> Preprocessing:
    """What a model of colour images of 6 rows and 8 columns wants."""
    return Preprocessing(
        shape=(3, 6, 8), classes=("a", "b"), normalization=Normalization(mean=(0.5,), std=(0.5,)), background=0.5
    )


# Pictures of every kind become what the model knows


def test_a_picture_of_the_right_size_is_taken_pixel_by_pixel(
    mnist: honshi.Splits, preprocessing: Preprocessing, seven: Image.Image, tmp_path: Path
) -> None:
    seven.save(tmp_path / "seven.png")

    assert torch.equal(prepare(tmp_path / "seven.png", preprocessing)[0], digit(mnist, 7))


def test_pil_numpy_and_torch_give_what_the_file_gives(
    mnist: honshi.Splits, preprocessing: Preprocessing, seven: Image.Image, tmp_path: Path
) -> None:
    path = tmp_path / "seven.png"
    seven.save(path)
    expected = prepare(path, preprocessing)

    for same in (str(path), seven, np.asarray(seven), digit(mnist, 7), digit(mnist, 7).unsqueeze(0)):
        assert torch.equal(prepare(same, preprocessing), expected)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK"])
def test_other_kinds_of_pixels_give_the_same_grey(
    mnist: honshi.Splits, preprocessing: Preprocessing, seven: Image.Image, tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "seven.tiff"
    seven.convert(mode).save(path)

    prepared = prepare(path, preprocessing)

    torch.testing.assert_close(prepared[0].int(), digit(mnist, 7).int(), atol=3, rtol=0)


def test_16_bits_a_pixel_are_scaled_and_not_cut_off(
    mnist: honshi.Splits, preprocessing: Preprocessing, tmp_path: Path
) -> None:
    Image.fromarray(digit(mnist, 7).numpy().astype(np.uint16) * 257).save(tmp_path / "deep.png")

    assert torch.equal(prepare(tmp_path / "deep.png", preprocessing)[0], digit(mnist, 7))


def test_black_and_white_alone_will_do(preprocessing: Preprocessing, seven: Image.Image, tmp_path: Path) -> None:
    seven.convert("1").save(tmp_path / "bits.png")

    assert prepare(tmp_path / "bits.png", preprocessing).unique().tolist() == [0, 255]


def test_what_is_transparent_is_white(preprocessing: Preprocessing, tmp_path: Path) -> None:
    picture = Image.new("RGBA", (28, 28), (0, 0, 0, 0))
    picture.paste((10, 10, 10, 255), (10, 10, 18, 18))
    picture.save(tmp_path / "sticker.png")

    prepared = prepare(tmp_path / "sticker.png", preprocessing)[0]

    assert prepared[0, 0] == 255
    assert prepared[14, 14] == 10


def test_a_transparent_colour_of_a_palette_is_white(preprocessing: Preprocessing, tmp_path: Path) -> None:
    picture = Image.new("P", (28, 28), 0)
    picture.putpalette([0, 0, 0, 90, 90, 90])
    picture.paste(1, (10, 10, 18, 18))
    picture.save(tmp_path / "palette.gif", transparency=0)

    prepared = prepare(tmp_path / "palette.gif", preprocessing)[0]

    assert prepared[0, 0] == 255
    assert prepared[14, 14] == 90


def test_a_photo_is_turned_as_its_exif_data_say(
    mnist: honshi.Splits, preprocessing: Preprocessing, seven: Image.Image, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter to the right
    seven.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)

    assert torch.equal(prepare(path, preprocessing)[0], digit(mnist, 7))
    with Image.open(path) as opened:
        assert torch.equal(prepare(opened, preprocessing)[0], digit(mnist, 7))


@pytest.mark.parametrize("size", [(1, 1), (28, 28), (28, 60), (500, 3), (1, 900), (900, 1)], ids=str)
def test_any_size_becomes_that_of_the_model(preprocessing: Preprocessing, size: tuple[int, int]) -> None:
    prepared = prepare(Image.new("L", size, 77), preprocessing)

    assert prepared.shape == (1, 28, 28)
    assert prepared.dtype == torch.uint8
    assert prepared.unique().tolist() == [77]


def test_a_picture_that_is_not_square_keeps_its_proportions(preprocessing: Preprocessing) -> None:
    """Twice as wide as high, dark, with a bright square in its middle."""
    picture = Image.new("L", (112, 56), 20)
    picture.paste(250, (40, 12, 72, 44))

    bright = prepare(picture, preprocessing)[0] > 128

    rows, columns = bright.any(1).nonzero().flatten(), bright.any(0).nonzero().flatten()
    assert (len(rows), len(columns)) == (8, 8)
    assert rows.float().mean() == columns.float().mean() == 13.5


def test_the_room_beside_it_has_the_colour_of_its_corners(colour: Preprocessing) -> None:
    picture = Image.new("RGB", (20, 40), (200, 30, 5))
    picture.paste((0, 0, 0), (5, 10, 15, 30))

    prepared = prepare(picture, colour)

    assert prepared[:, :, 0].unique(dim=1).flatten().tolist() == [200, 30, 5]


def test_colours_keep_their_order_and_rows_their_place(colour: Preprocessing) -> None:
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[1, 5] = 10, 20, 30

    prepared = prepare(pixels, colour)

    assert prepared[:, 1, 5].tolist() == [10, 20, 30]
    assert torch.equal(prepared, torch.from_numpy(pixels).permute(2, 0, 1))
    assert torch.equal(prepare(prepared, colour), prepared)


def test_a_grey_picture_goes_into_a_model_of_colours(colour: Preprocessing) -> None:
    prepared = prepare(Image.new("L", (8, 6), 99), colour)

    assert torch.equal(prepared, torch.full((3, 6, 8), 99, dtype=torch.uint8))


# Dark and light


def test_invert_swaps_dark_and_light(mnist: honshi.Splits, preprocessing: Preprocessing) -> None:
    ink = Image.fromarray(255 - digit(mnist, 7).numpy())

    assert torch.equal(prepare(ink, preprocessing, invert=True)[0], digit(mnist, 7))


def test_ink_on_paper_looks_inverted_to_a_model_of_chalk(mnist: honshi.Splits, preprocessing: Preprocessing) -> None:
    chalk = mnist.val.pixels[:50]

    assert not look_inverted(chalk, preprocessing).any()
    assert look_inverted(255 - chalk, preprocessing).all()


def test_chalk_looks_inverted_to_a_model_of_ink(mnist: honshi.Splits) -> None:
    ink = honshi.Images(pixels=255 - mnist.val.pixels[:50], labels=mnist.val.labels[:50], classes=mnist.val.classes)

    assert look_inverted(mnist.val.pixels[:1], ink.preprocessing).all()
    assert not look_inverted(ink.pixels[:1], ink.preprocessing).any()


# What cannot be read


@pytest.mark.parametrize(
    "content",
    [b"", b"only a note\n", b"\x89PNG\r\n\x1a\n", b"GIF89a", bytes(100)],
    ids=["empty", "text", "only the magic number", "a cut gif", "zeros"],
)
def test_a_file_that_is_no_image_is_named(preprocessing: Preprocessing, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)

    with pytest.raises(ImageError, match=r"picture\.png"):
        prepare(path, preprocessing)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tiff", "webp"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_truncated_image_is_an_error_and_not_half_a_picture(
    preprocessing: Preprocessing, tmp_path: Path, suffix: str, part: float
) -> None:
    path = tmp_path / f"picture.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])

    with pytest.raises(ImageError, match=rf"picture\.{suffix}"):
        prepare(path, preprocessing)


def test_a_missing_file_is_named(preprocessing: Preprocessing, tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"nowhere\.png: there is no such file"):
        prepare(tmp_path / "nowhere.png", preprocessing)


def test_a_folder_is_no_image(preprocessing: Preprocessing, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        prepare(tmp_path, preprocessing)


def test_pixels_that_are_not_bytes_are_refused(mnist: honshi.Splits, preprocessing: Preprocessing) -> None:
    normalised, _ = mnist.val[0]

    with pytest.raises(ImageError, match="uint8"):
        prepare(normalised, preprocessing)


@pytest.mark.parametrize("shape", [(1, 1, 28, 28), (28,), (28, 28, 7), (0, 28)], ids=str)
def test_pixels_that_are_not_one_image_are_refused(preprocessing: Preprocessing, shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="one image"):
        prepare(np.zeros(shape, np.uint8), preprocessing)


def test_a_picture_is_not_changed_by_being_looked_at(preprocessing: Preprocessing, seven: Image.Image) -> None:
    before = seven.tobytes()

    prepare(ImageOps.expand(seven, 3), preprocessing, invert=True)
    prepare(seven, preprocessing, invert=True)

    assert seven.tobytes() == before
