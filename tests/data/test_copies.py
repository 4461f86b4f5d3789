"""Copies across a split: found though they are re-encoded, moved or brightened, and nothing else is."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import honshi
from honshi.data import Images, copies, fashion_mnist
from honshi.data.copies import Leak, find_leaks
from honshi.data.sources import open_published
from honshi.errors import DataError, DownloadError


def as_jpeg(quality: int) -> Callable[[Tensor], Tensor]:
    """Saved as JPEG and read again: (c, h, w) with c = 1 or 3."""

    def change(pixels: Tensor) -> Tensor:
        saved = io.BytesIO()
        Image.fromarray(pixels.movedim(0, -1).squeeze(-1).numpy()).save(saved, "JPEG", quality=quality)
        with Image.open(saved) as picture:
            return torch.from_numpy(np.array(picture)).reshape(*pixels.shape[1:], -1).movedim(-1, 0)

    return change


def moved(down: int, right: int) -> Callable[[Tensor], Tensor]:
    """Moved by a pixel; what comes in at the border is black."""

    def change(pixels: Tensor) -> Tensor:
        h, w = pixels.shape[1:]
        return F.pad(pixels, (1, 1, 1, 1))[:, 1 - down : 1 - down + h, 1 - right : 1 - right + w]

    return change


def brightened(pixels: Tensor) -> Tensor:
    return (1.05 * pixels.float()).round().clamp(max=255).to(torch.uint8)


def unchanged(pixels: Tensor) -> Tensor:
    return pixels


MOVES = {f"moved {down, right}": moved(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right}
CHANGES = {
    "exact": unchanged,
    "JPEG 75": as_jpeg(75),
    "JPEG 85": as_jpeg(85),
    "JPEG 90": as_jpeg(90),
    "brightened": brightened,
    **MOVES,
}


def changed(images: honshi.Images, change: Callable[[Tensor], Tensor]) -> honshi.Images:
    pixels = torch.stack([change(image) for image in images.pixels])
    return honshi.Images(pixels=pixels, labels=images.labels, classes=images.classes)


def joined(*parts: honshi.Images) -> honshi.Images:
    return honshi.Images(
        pixels=torch.cat([part.pixels for part in parts]),
        labels=torch.cat([part.labels for part in parts]),
        classes=parts[0].classes,
    )


def in_colour(images: honshi.Images) -> honshi.Images:
    """Each digit in chalk of a colour of its own: (n, 3, h, w)."""
    chalk = torch.rand(len(images), 3, 1, 1, generator=torch.Generator().manual_seed(0))
    pixels = (images.pixels * (0.3 + 0.7 * chalk)).to(torch.uint8)
    return honshi.Images(pixels=pixels, labels=images.labels, classes=images.classes)


def with_copies(images: honshi.Images, seed: int) -> tuple[honshi.Images, honshi.Images, list[int]]:
    """30,000 images; 10,000 others followed by 50 changed copies of the first; the places of the originals."""
    places = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    left, others = images.subset(places[:30_000]), images.subset(places[30_000:40_000])
    originals = torch.arange(0, 30_000, 600)
    changes = [list(CHANGES.values())[number % len(CHANGES)] for number in range(len(originals))]
    copies = [changed(left.subset([place]), change) for place, change in zip(originals, changes, strict=True)]
    return left, joined(others, *copies), originals.tolist()


def found_copies(leaks: list[Leak], originals: list[int]) -> set[tuple[int, int]]:
    planted = {(original, 10_000 + number) for number, original in enumerate(originals)}
    return planted & {(leak.left, leak.right) for leak in leaks}


def false_alarms(leaks: list[Leak]) -> list[Leak]:
    return [leak for leak in leaks if leak.right < 10_000]


@pytest.fixture(scope="module")
def digits(mnist: honshi.Splits) -> tuple[honshi.Images, honshi.Images]:
    """5,000 images and 1,000 others: a small split without a leak."""
    return mnist.train.subset(range(5_000)), mnist.train.subset(range(5_000, 6_000))


class TestPlantedCopies:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_at_least_48_of_50_are_found_and_none_of_10000_others(self, mnist: honshi.Splits, seed: int) -> None:
        left, right, originals = with_copies(mnist.train, seed)
        leaks = find_leaks(left, right)

        assert len(found_copies(leaks, originals)) >= 48
        assert false_alarms(leaks) == []

    def test_nearly_all_are_found_among_clothes_too(self) -> None:
        try:
            # Without mirrors, only what is on this machine is looked for.
            fashion_mnist.find_folder(mirrors=())
        except DownloadError:
            pytest.skip("Fashion-MNIST is not on this machine")
        left, right, originals = with_copies(open_published("fashion-mnist").train, seed=0)
        leaks = find_leaks(left, right)

        assert len(found_copies(leaks, originals)) >= 48
        # Some products were photographed once and published twice: about one in 500 images.
        assert len(false_alarms(leaks)) < 40

    @pytest.mark.parametrize("change", CHANGES)
    def test_each_kind_of_copy_is_found(self, digits: tuple[honshi.Images, honshi.Images], change: str) -> None:
        left, _ = digits
        leaks = find_leaks(left, changed(left.subset(range(50)), CHANGES[change]))

        assert sum(leak.left == leak.right for leak in leaks) >= 48

    def test_copies_within_the_left_side_do_not_move_the_measure(
        self, digits: tuple[honshi.Images, honshi.Images]
    ) -> None:
        left, others = digits
        doubled = joined(left, changed(left.subset(range(1_000)), moved(1, 0)))
        copies = changed(left.subset(range(2_000, 2_050)), as_jpeg(80))
        leaks = find_leaks(doubled, joined(others, copies))

        assert sum(leak.right - 1_000 == leak.left - 2_000 for leak in leaks) >= 48
        assert [leak for leak in leaks if leak.right < 1_000] == []

    @pytest.mark.parametrize("change", CHANGES)
    def test_copies_in_colour_are_found(self, digits: tuple[honshi.Images, honshi.Images], change: str) -> None:
        left, others = map(in_colour, digits)
        copies = changed(left.subset(range(50)), CHANGES[change])
        leaks = find_leaks(left, joined(copies, others))

        assert sum(leak.left == leak.right for leak in leaks) >= 48
        assert [leak for leak in leaks if leak.right >= 50] == []


class TestWhatIsNoCopy:
    def test_two_handwritten_ones_are_different_pictures(self, mnist: honshi.Splits) -> None:
        ones = mnist.train.subset((mnist.train.labels == 1).nonzero().flatten())
        half = len(ones) // 2

        assert find_leaks(ones.subset(range(half)), ones.subset(range(half, len(ones)))) == []

    def test_blank_images_are_copies_only_where_they_are_equal(
        self, digits: tuple[honshi.Images, honshi.Images]
    ) -> None:
        def blank(grey: int) -> honshi.Images:
            pixels = torch.full((1, 1, 28, 28), grey, dtype=torch.uint8)
            return honshi.Images(pixels=pixels, labels=torch.tensor([1]), classes=digits[0].classes)

        leaks = find_leaks(joined(digits[0], blank(37)), joined(blank(38), blank(37)))

        assert [(leak.left, leak.right, leak.kind) for leak in leaks] == [(5_000, 1, "exact")]

    def test_a_class_of_one_image_has_no_measure_of_nearness(self, digits: tuple[honshi.Images, honshi.Images]) -> None:
        alone = digits[0].subset([0])

        assert find_leaks(alone, changed(alone, brightened)) == []

    def test_small_images_are_compared_exactly_only(self) -> None:
        pixels = torch.randint(1, 200, (20, 1, 7, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        images = honshi.Images(pixels=pixels, labels=torch.zeros(20, dtype=torch.int64), classes=("noise",))

        assert len(find_leaks(images, images)) == 20
        assert find_leaks(images, changed(images, brightened)) == []

    def test_an_empty_side_leaks_nothing(self, digits: tuple[honshi.Images, honshi.Images]) -> None:
        images, none = digits[1], digits[1].subset([])

        assert find_leaks(none, images) == []
        assert find_leaks(images, none) == []


class TestWhatIsReported:
    def test_exact_copies_come_first_then_near_ones_by_distance(
        self, digits: tuple[honshi.Images, honshi.Images]
    ) -> None:
        left, _ = digits
        near = [changed(left.subset([place]), as_jpeg(quality)) for place, quality in ((0, 75), (1, 90))]
        leaks = find_leaks(left, joined(*near, left.subset([3]), left.subset([2])))

        assert [(leak.left, leak.right, leak.kind) for leak in leaks] == [
            (3, 2, "exact"),
            (2, 3, "exact"),
            (1, 1, "near"),
            (0, 0, "near"),
        ]
        assert leaks[0].distance == leaks[1].distance == 0
        assert 0 < leaks[2].distance < leaks[3].distance < 0.1

    def test_a_copy_that_has_another_label_is_found_and_said_so(
        self, digits: tuple[honshi.Images, honshi.Images]
    ) -> None:
        left, _ = digits
        pair = left.subset([0, 1])
        labels = torch.stack([pair.labels[0], (pair.labels[1] + 1) % 10])
        leaks = find_leaks(left, honshi.Images(pixels=pair.pixels, labels=labels, classes=pair.classes))

        assert [(leak.right, leak.labels_differ) for leak in leaks] == [(0, False), (1, True)]

    def test_labels_are_compared_by_the_names_of_their_classes(
        self, digits: tuple[honshi.Images, honshi.Images]
    ) -> None:
        image = digits[0].subset([0])
        backwards = honshi.Images(pixels=image.pixels, labels=9 - image.labels, classes=image.classes[::-1])

        assert not find_leaks(image, backwards)[0].labels_differ

    def test_an_image_with_several_copies_is_reported_once_with_the_first(
        self, digits: tuple[honshi.Images, honshi.Images]
    ) -> None:
        left, _ = digits
        leaks = find_leaks(joined(left, left), left.subset([7]))

        assert [(leak.left, leak.right) for leak in leaks] == [(7, 0)]

    def test_images_of_two_sizes_are_refused(self, digits: tuple[honshi.Images, honshi.Images]) -> None:
        left, right = digits
        cropped = honshi.Images(pixels=right.pixels[..., 1:], labels=right.labels, classes=right.classes)

        with pytest.raises(DataError, match=r"\(1, 28, 28\) cannot be compared with images of shape \(1, 28, 27\)"):
            find_leaks(left, cropped)


def test_of_very_many_images_some_are_looked_for_as_near_copies_and_all_as_exact_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (40, 1, 12, 12), generator=random, dtype=torch.uint8)
    labels = torch.arange(40) % 2
    left = Images(pixels=pixels, labels=labels, classes=("a", "b"))
    brighter = (pixels.int() * 3 // 4 + 40).to(torch.uint8)
    brighter[3] = pixels[3]  # not among each fourth
    right = Images(pixels=brighter, labels=labels, classes=("a", "b"))
    assert len(find_leaks(left, right)) == 40
    monkeypatch.setattr(copies, "MOST_PAIRS", 40 * 10)

    found = find_leaks(left, right)

    assert copies.searched_for(40, 40) == 10
    assert [leak.right for leak in found if leak.kind == "exact"] == [3]
    assert sorted(leak.right for leak in found if leak.kind == "near") == list(range(0, 40, 4))


def test_nothing_is_left_out_of_a_usual_search() -> None:
    assert copies.searched_for(60_000, 10_000) == 10_000
    assert copies.searched_for(1_000_000, 100_000) == 4_000
    assert copies.searched_for(0, 5) == 5
