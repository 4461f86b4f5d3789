"""Images in memory: what they accept, how a model is shown them, and what identifies them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

import honshi
from honshi.data.images import Images
from honshi.errors import DataError
from honshi.pictures.contract import Normalization
from honshi.runtime import available_devices

LECTURE = Normalization(mean=(0.5,), std=(0.5,))


def random_pixels(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def images() -> Images:
    """Four grey images of 2 x 3 pixels in three classes, of which one is empty."""
    return Images(pixels=random_pixels(4, 1, 2, 3), labels=torch.tensor([0, 2, 0, 2]), classes=("a", "b", "c"))


class TestNormalization:
    def test_the_lectures_maps_black_to_minus_one_and_white_to_one(self) -> None:
        assert LECTURE(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]

    @given(pixels=arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=5)))
    def test_mean_and_deviation_are_those_that_numpy_finds(self, pixels: NDArray[np.uint8]) -> None:
        scaled = pixels / 255.0
        measured = Normalization.measured(torch.from_numpy(pixels))
        constant = np.ptp(pixels, axis=(0, 2, 3)) == 0
        assert measured.mean == pytest.approx(scaled.mean(axis=(0, 2, 3)), abs=1e-12)
        assert measured.std == pytest.approx(np.where(constant, 1.0, scaled.std(axis=(0, 2, 3))), abs=1e-12)

    @given(value=st.integers(0, 255), count=st.integers(1, 2000))
    def test_a_channel_that_never_varies_is_divided_by_one(self, value: int, count: int) -> None:
        assert Normalization.measured(torch.full((count, 1, 1, 1), value, dtype=torch.uint8)).std == (1.0,)

    def test_measured_on_some_images_it_gives_them_mean_zero_and_deviation_one(self) -> None:
        pixels = random_pixels(50, 3, 8, 8)
        normalized = Normalization.measured(pixels)(pixels).double()
        for channel in normalized.unbind(1):
            assert channel.mean().item() == pytest.approx(0, abs=1e-5)
            assert channel.std(correction=0).item() == pytest.approx(1, abs=1e-5)

    def test_each_channel_has_its_own(self) -> None:
        white = torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
        normalized = Normalization(mean=(0.0, 0.5, 1.0), std=(1.0, 0.25, 0.5))(white)
        assert normalized.flatten().tolist() == [1.0, 2.0, 0.0]

    def test_one_pair_of_numbers_serves_every_channel(self) -> None:
        pixels = random_pixels(2, 3, 4, 4)
        alike = Normalization(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        torch.testing.assert_close(LECTURE(pixels), alike(pixels))

    def test_the_pixels_stay_as_they_are(self) -> None:
        pixels = random_pixels(2, 1, 4, 4)
        before = pixels.clone()
        LECTURE(pixels)
        assert torch.equal(pixels, before)


class TestWhatIsAccepted:
    @pytest.mark.parametrize(
        ("pixels", "labels", "words"),
        [
            (torch.zeros(1, 1, 2, 2), torch.tensor([0]), r"uint8 of shape .* not torch\.float32"),
            (torch.zeros(1, 2, 2, dtype=torch.uint8), torch.tensor([0]), r"not torch\.uint8 of shape \(1, 2, 2\)"),
            (torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0]), r"2 images need as many int64 labels"),
            (torch.zeros(1, 1, 2, 2, dtype=torch.uint8), torch.tensor([0.0]), r"int64 labels, not torch\.float32"),
            (torch.zeros(1, 1, 2, 2, dtype=torch.uint8), torch.tensor([2]), r"from 2 to 2; with 2 classes .* 0 to 1"),
            (torch.zeros(1, 1, 2, 2, dtype=torch.uint8), torch.tensor([-1]), r"Labels go from -1"),
        ],
        ids=["floats", "no channels", "too few labels", "float labels", "label too large", "negative label"],
    )
    def test_anything_else_than_labelled_bytes_is_refused(self, pixels: Tensor, labels: Tensor, words: str) -> None:
        with pytest.raises(DataError, match=words):
            Images(pixels=pixels, labels=labels, classes=("cat", "dog"))

    def test_the_normalization_must_fit_the_channels(self, images: Images) -> None:
        with pytest.raises(DataError, match=r"normalisation has 3 channels and the images 1"):
            images.normalized_by(Normalization(mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0)))

    def test_images_cannot_be_changed_afterwards(self, images: Images) -> None:
        with pytest.raises(FrozenInstanceError):
            images.classes = ("x", "y", "z")  # type: ignore[misc]


class TestAsADataset:
    def test_an_item_is_a_normalised_image_and_its_label(self, images: Images) -> None:
        picture, label = images[1]
        assert picture.shape == (1, 2, 3)
        assert torch.equal(picture, images.pixels[1].float().sub(127.5).div(127.5))
        assert label == 2

    def test_places_count_as_in_a_list(self, images: Images) -> None:
        assert [images[place][1] for place in range(len(images))] == [0, 2, 0, 2]
        assert torch.equal(images[-1][0], images[3][0])
        with pytest.raises(IndexError):
            images[4]

    def test_a_data_loader_takes_them(self, images: Images) -> None:
        inputs, labels = next(iter(DataLoader(images, batch_size=4)))
        assert torch.equal(inputs, images.normalization(images.pixels))
        assert torch.equal(labels, images.labels)


class TestSelections:
    def test_a_subset_has_the_chosen_images_in_the_chosen_order(self, images: Images) -> None:
        chosen = images.subset([3, 0])
        assert torch.equal(chosen.pixels, images.pixels[[3, 0]])
        assert chosen.labels.tolist() == [2, 0]
        assert chosen.classes == images.classes

    def test_counts_name_empty_classes_too(self, images: Images) -> None:
        assert images.class_counts() == [2, 0, 2]

    @pytest.mark.parametrize("device", available_devices())
    def test_on_another_device_they_are_the_same_images(self, images: Images, device: str) -> None:
        moved = images.to(torch.device(device))
        assert moved.pixels.device.type == device
        assert moved.sha256() == images.sha256()
        assert moved.class_counts() == images.class_counts()
        assert moved.subset([1]).labels.tolist() == [2]


class TestIdentity:
    def test_the_same_images_have_the_same_hash(self, images: Images) -> None:
        again = Images(pixels=images.pixels.clone(), labels=images.labels.clone(), classes=images.classes)
        assert again.sha256() == images.sha256()

    def test_how_they_are_shown_does_not_change_the_hash(self, images: Images) -> None:
        assert images.normalized_by(Normalization(mean=(0.1,), std=(0.3,))).sha256() == images.sha256()

    def test_another_pixel_label_order_or_shape_changes_the_hash(self, images: Images) -> None:
        brighter, relabelled = images.pixels.clone(), images.labels.clone()
        brighter[0, 0, 0, 0] ^= 1
        relabelled[0] = 1
        others = [
            Images(pixels=brighter, labels=images.labels, classes=images.classes),
            Images(pixels=images.pixels, labels=relabelled, classes=images.classes),
            images.subset([1, 0, 2, 3]),
            Images(pixels=images.pixels.view(4, 1, 3, 2), labels=images.labels, classes=images.classes),
        ]
        assert len({images.sha256(), *(other.sha256() for other in others)}) == 5


class TestPreprocessing:
    def test_it_carries_what_a_new_picture_must_become(self, images: Images) -> None:
        preprocessing = images.preprocessing
        assert preprocessing.shape == images.shape == (1, 2, 3)
        assert preprocessing.classes == ("a", "b", "c")
        assert preprocessing.normalization == LECTURE

    def test_the_background_is_the_brightness_of_the_border(self) -> None:
        framed = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
        framed[1] = 255
        framed[:, :, 1:3, 1:3] = 77
        assert Images(pixels=framed, labels=torch.tensor([0, 0]), classes=("a",)).preprocessing.background == 0.5

    def test_digits_of_mnist_stand_on_black(self, mnist: honshi.Splits) -> None:
        assert mnist.val.preprocessing.background == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.0,)), ((0.5,), (-1.0,)), ((0.5, 0.5), (0.5,))])
def test_a_normalisation_that_cannot_be_divided_by_is_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="above 0"):
        Normalization(mean=mean, std=std)


@pytest.mark.parametrize(
    "wrong",
    [
        {"classes": None},
        {"classes": {"a", "b"}},
        {"normalization": None},
        {"normalization": ((0.5,), (0.5,))},
        {"pixels": torch.zeros(4, 1, 0, 3, dtype=torch.uint8)},
        {"pixels": torch.zeros(4, 1, 3, 3, dtype=torch.uint8).to_sparse()},
        {"labels": np.array(["a"] * 4)},
        {"labels": np.array([0, 1, 0, 1], dtype=object)},
    ],
    ids=["no names", "names without order", "no normalisation", "numbers", "no rows", "sparse", "words", "objects"],
)
def test_parts_of_the_wrong_kind_are_refused(wrong: dict[str, Any]) -> None:
    parts: dict[str, Any] = {
        "pixels": random_pixels(4, 1, 3, 3),
        "labels": torch.tensor([0, 1, 0, 1]),
        "classes": ("a", "b"),
    }

    with pytest.raises(DataError):
        Images(**{**parts, **wrong})


def test_a_part_is_chosen_by_truth_as_by_places(images: Images) -> None:
    wanted = torch.arange(len(images)) % 2 == 1

    assert torch.equal(images.subset(wanted).pixels, images.pixels[wanted])


@pytest.mark.parametrize("places", [[0.5], None, "a", 0, slice(2), [10**6], [-(10**6)], [True]])
def test_places_that_are_none_are_refused(images: Images, places: Any) -> None:
    with pytest.raises(DataError, match="images"):
        images.subset(places)


@pytest.mark.parametrize(("mean", "std"), [(0.1, 0.2), ("a", "b"), (None, None), ((float("nan"),), (1.0,)), ((), ())])
def test_a_normalisation_that_is_none_is_refused(mean: Any, std: Any) -> None:
    with pytest.raises(DataError, match="A normalisation has"):
        Normalization(mean=mean, std=std)
