"""Augmentation: as much as was asked for and no more, each image by itself, and the same again from the same seed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor
from torch.nn.functional import one_hot
from torch.utils.data import DataLoader

import honshi
from honshi.data import augment
from honshi.data.augment import Augmentation
from honshi.data.batches import Batches, make_batches
from honshi.recipe import AugmentOptions

SIDE = 25
CENTRE = (SIDE - 1) / 2


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.fixture
def pixels(mnist: honshi.Splits) -> Tensor:
    return mnist.train.pixels[:300]


def origins(augmentation: Augmentation, count: int = 200) -> NDArray[np.float64]:
    """Where each pixel of augmented images comes from: columns and rows, (count, 2, SIDE, SIDE).

    The images say it themselves: their brightness is ten times the column in one channel and the row in the
    other, and between two pixels it is interpolated. Beyond the edges it stays what it is there.
    """
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    maps = (10 * torch.stack([columns, rows])).to(torch.uint8).expand(count, -1, -1, -1)
    return augmentation(maps.contiguous(), seed(0)).double().numpy() / 10


def matrices(augmentation: Augmentation) -> NDArray[np.float64]:
    """The affine map (2, 3) from a pixel of each augmented image to its origin, both seen from the middle."""
    rows, columns = np.meshgrid(np.arange(SIDE) - CENTRE, np.arange(SIDE) - CENTRE, indexing="ij")
    found = []
    for image in origins(augmentation):
        inside = ((image > 0.01) & (image < SIDE - 1.01)).all(0)
        known = np.stack([columns[inside], rows[inside], np.ones(inside.sum())], 1)
        solution, residuals, _, _ = np.linalg.lstsq(known, image[:, inside].T - CENTRE, rcond=None)
        assert residuals.max() < 0.01
        found.append(solution.T)
    return np.stack(found)


def assert_spread(values: NDArray[np.float64], lowest: float, highest: float) -> None:
    """All of the range is used, and nothing else."""
    reach = highest - lowest
    assert lowest - 1e-3 * reach <= values.min() < lowest + 0.05 * reach
    assert highest - 0.05 * reach < values.max() <= highest + 1e-3 * reach


class TestWhereThePixelsComeFrom:
    def test_a_rotation_is_about_the_middle_and_by_no_more_than_its_degrees(self) -> None:
        maps = matrices(Augmentation(rotate=30.0))

        np.testing.assert_allclose(
            maps[:, :, :2] @ maps[:, :, :2].transpose(0, 2, 1), np.eye(2)[None].repeat(200, 0), atol=1e-3
        )
        np.testing.assert_allclose(maps[:, :, 2], 0, atol=1e-3)
        assert_spread(np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0])), -30, 30)

    def test_a_quarter_turn_is_exact(self, monkeypatch: pytest.MonkeyPatch, pixels: Tensor) -> None:
        monkeypatch.setattr(augment, "_uniform", lambda *shape, draws: torch.ones(shape))

        turned = Augmentation(rotate=90.0)(pixels, seed(0))

        torch.testing.assert_close(turned, pixels.rot90(1, (2, 3)).float(), rtol=0, atol=0.01)

    def test_a_scale_is_the_same_along_both_sides(self) -> None:
        maps = matrices(Augmentation(scale=0.2))

        np.testing.assert_allclose(maps[:, 0, 0], maps[:, 1, 1], atol=1e-3)
        np.testing.assert_allclose(maps[:, [0, 1, 0, 1], [1, 0, 2, 2]], 0, atol=1e-3)
        assert_spread(1 / maps[:, 0, 0], 0.8, 1.2)

    def test_a_shear_moves_the_rows_along_themselves(self) -> None:
        maps = matrices(Augmentation(shear=20.0))

        np.testing.assert_allclose(maps[:, 1], np.array([[0.0, 1.0, 0.0]]).repeat(200, 0), atol=1e-3)
        np.testing.assert_allclose(maps[:, 0, 0], 1, atol=1e-3)
        assert_spread(np.degrees(np.arctan(maps[:, 0, 1])), -20, 20)

    def test_a_shift_beside_other_changes_is_a_fraction_of_the_side(self) -> None:
        maps = matrices(Augmentation(shift=0.2, rotate=1e-6))

        assert_spread(maps[:, 0, 2], -0.2 * SIDE, 0.2 * SIDE)
        assert_spread(maps[:, 1, 2], -0.2 * SIDE, 0.2 * SIDE)
        assert abs(np.corrcoef(maps[:, 0, 2], maps[:, 1, 2])[0, 1]) < 0.3

    def test_no_pixel_is_displaced_further_than_elastic_says(self) -> None:
        found = origins(Augmentation(elastic=3.0))
        rows, columns = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")

        displaced = found - np.stack([columns, rows])

        assert 1.5 < np.abs(displaced).max() <= 3

    def test_an_elastic_field_is_smooth_and_not_the_same_everywhere(self) -> None:
        inner = origins(Augmentation(elastic=2.0))[:, 0, 8:-8, 8:-8] - np.arange(SIDE)[8:-8]

        assert np.abs(np.diff(inner, axis=1)).max() < 0.8
        assert inner.std((1, 2)).mean() > 0.1

    def test_the_bumps_of_an_elastic_field_add_up_to_1_at_every_pixel(self) -> None:
        bumps = augment._bumps(28, torch.device("cpu"))

        assert bumps.min() >= 0
        torch.testing.assert_close(bumps.sum(0), torch.ones(28))

    def test_images_need_not_be_square(self) -> None:
        monochrome = torch.full((5, 3, 9, 31), 77, dtype=torch.uint8)

        for some in (Augmentation(shift=0.3), Augmentation(shift=0.3, rotate=180.0, elastic=4.0)):
            torch.testing.assert_close(some(monochrome, seed(0)).float(), monochrome.float())


class TestShiftAlone:
    @settings(max_examples=20)
    @given(height=st.integers(1, 9), width=st.integers(1, 9), channels=st.integers(1, 3), number=st.integers(0, 99))
    def test_every_image_is_one_of_numpys_shifted_copies(
        self, height: int, width: int, channels: int, number: int
    ) -> None:
        images = torch.randint(256, (20, channels, height, width), generator=seed(number), dtype=torch.uint8)

        shifted = Augmentation(shift=0.4)(images, seed(number))

        down, aside = round(0.4 * height), round(0.4 * width)
        for before, after in zip(images.numpy(), shifted.numpy(), strict=True):
            wide = np.pad(before, ((0, 0), (down, down), (aside, aside)), mode="edge")
            copies = [
                wide[:, top : top + height, left : left + width]
                for top in range(2 * down + 1)
                for left in range(2 * aside + 1)
            ]
            assert any(np.array_equal(after, copy) for copy in copies)

    def test_every_shift_occurs_and_all_about_as_often(self) -> None:
        images = torch.zeros(9000, 1, 5, 5, dtype=torch.uint8)
        images[:, :, 2, 2] = 255

        places = Augmentation(shift=0.2)(images, seed(0)).flatten(1).argmax(1)

        assert torch.bincount(places, minlength=25).view(5, 5)[1:4, 1:4].flatten().tolist() == pytest.approx(
            [1000] * 9, rel=0.15
        )

    def test_bytes_stay_bytes(self, pixels: Tensor) -> None:
        assert Augmentation(shift=0.1, flip=True, erase=0.5)(pixels, seed(0)).dtype == torch.uint8


class TestFlip:
    def test_half_of_the_images_are_mirrored_and_the_others_as_they_were(self, pixels: Tensor) -> None:
        flipped = Augmentation(flip=True)(pixels, seed(0))

        mirrored = (flipped == pixels.flip(-1)).all((1, 2, 3))
        assert bool((mirrored | (flipped == pixels).all((1, 2, 3))).all())
        assert 100 < int(mirrored.sum()) < 200


class TestErase:
    def test_as_many_images_lose_a_rectangle_as_the_probability_says(self) -> None:
        grey = torch.arange(256, dtype=torch.uint8).repeat(3).view(1, 3, 16, 16).expand(2000, -1, -1, -1)

        erased = (Augmentation(erase=0.3)(grey, seed(0)) != grey).any(1)

        assert int(erased.any(2).any(1).sum()) == pytest.approx(600, rel=0.1)

    def test_what_is_painted_over_is_a_rectangle_of_one_brightness_within_the_image(self) -> None:
        noise = torch.randint(256, (500, 1, 20, 30), generator=seed(1), dtype=torch.uint8)

        result = Augmentation(erase=1.0)(noise, seed(0))

        areas = []
        for before, after in zip(noise[:, 0], result[:, 0], strict=True):
            # A painted pixel may have had that brightness before, so the rectangle is where it starts and ends.
            rows, columns = torch.nonzero(before != after, as_tuple=True)
            painted = after[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert len(painted.unique()) == 1
            areas.append(painted.numel() / 600)
        assert min(areas) < 0.05
        assert 0.3 < max(areas) < 0.45


class TestMixup:
    def test_an_image_and_its_label_are_mixed_in_the_same_proportion(self) -> None:
        labels = torch.randint(10, (400,), generator=seed(1))
        inputs = one_hot(labels, 10).float().view(400, 10, 1, 1)

        mixed, soft = Augmentation(mixup=1.0).mix(inputs, labels, 10, seed(0))

        torch.testing.assert_close(mixed.view(400, 10), soft)
        torch.testing.assert_close(soft.sum(1), torch.ones(400))

    def test_its_own_label_stays_the_most_probable(self) -> None:
        labels = torch.randint(10, (400,), generator=seed(1))

        _, soft = Augmentation(mixup=1.0).mix(torch.zeros(400, 1, 1, 1), labels, 10, seed(0))

        assert torch.equal(soft.argmax(1), labels)

    @pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
    def test_the_smaller_share_is_distributed_as_by_scipys_beta(self, alpha: float) -> None:
        count = 2000

        _, soft = Augmentation(mixup=alpha).mix(torch.zeros(count, 1, 1, 1), torch.arange(count), count, seed(0))

        smaller = soft.fill_diagonal_(0).sum(1).double().numpy()
        assert stats.kstest(smaller, lambda share: 2 * stats.beta(alpha, alpha).cdf(share)).pvalue > 0.01

    @pytest.mark.parametrize("alpha", [1e-300, 1e-3, 1e6])
    def test_any_alpha_gives_finite_images(self, alpha: float) -> None:
        mixed, soft = Augmentation(mixup=alpha).mix(torch.ones(50, 1, 2, 2), torch.arange(50), 50, seed(0))

        torch.testing.assert_close(mixed, torch.ones(50, 1, 2, 2))
        torch.testing.assert_close(soft.sum(1), torch.ones(50))


EVERYTHING = Augmentation(shift=0.1, rotate=10.0, scale=0.1, shear=5.0, elastic=2.0, erase=0.5, flip=True, mixup=0.5)


class TestAnEpochOfAugmentedImages:
    def test_the_same_seed_gives_the_same_images_and_another_seed_others(self, mnist: honshi.Splits) -> None:
        def epoch(number: int) -> Tensor:
            some = mnist.train.subset(range(300))
            return torch.cat([inputs for inputs, _ in Batches(some, 64, shuffle=seed(number), augment=EVERYTHING)])

        assert torch.equal(epoch(0), epoch(0))
        assert not torch.allclose(epoch(0), epoch(1))

    def test_the_next_epoch_sees_other_images(self, mnist: honshi.Splits) -> None:
        one = mnist.train.subset([0])
        epochs = Batches(one, 1, shuffle=seed(0), augment=Augmentation(rotate=20.0))

        first, second = (next(iter(epochs))[0] for _ in range(2))

        assert not torch.allclose(first, second)

    def test_two_copies_of_an_image_are_changed_in_different_ways(self, mnist: honshi.Splits) -> None:
        ((inputs, _),) = Batches(mnist.train.subset([0, 0]), 2, shuffle=seed(0), augment=Augmentation(rotate=20.0))

        assert not torch.allclose(inputs[0], inputs[1])

    def test_the_order_is_that_of_the_plain_images(self, mnist: honshi.Splits) -> None:
        some = mnist.train.subset(range(300))

        plain = [labels for _, labels in Batches(some, 64, shuffle=seed(0))]
        changed = [labels for _, labels in Batches(some, 64, shuffle=seed(0), augment=Augmentation(rotate=5.0))]

        assert all(torch.equal(one, other) for one, other in zip(plain, changed, strict=True))

    def test_the_background_is_that_of_the_images_whatever_the_normalisation(self, mnist: honshi.Splits) -> None:
        paper = torch.full((50, 1, 28, 28), 200, dtype=torch.uint8)
        paper[:, :, 12:16, 12:16] = 0
        some = replace(mnist.train.subset(range(50)), pixels=paper)
        strong = Augmentation(shift=0.3, rotate=45.0, scale=0.3, elastic=2.0)

        ((inputs, _),) = Batches(some, 50, shuffle=seed(0), augment=strong)

        background = some.normalization(paper[:1, :, 0, 0].view(1, 1, 1, 1)).item()
        torch.testing.assert_close(inputs.amax((1, 2, 3)), torch.full((50,), background))
        torch.testing.assert_close(inputs[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]], torch.full((50, 4), background))

    def test_the_images_themselves_are_not_changed(self, mnist: honshi.Splits) -> None:
        some = mnist.train.subset(range(64))
        before = some.sha256()

        list(Batches(some, 64, shuffle=seed(0), augment=EVERYTHING))

        assert some.sha256() == before

    def test_without_a_generator_there_is_nothing_to_draw_from(self, mnist: honshi.Splits) -> None:
        with pytest.raises(ValueError, match="shuffle"):
            Batches(mnist.val, 64, augment=EVERYTHING)

    def test_only_images_are_augmented(self, mnist: honshi.Splits) -> None:
        with pytest.raises(TypeError, match=r"Only honshi.Images are augmented here.* a DataLoader"):
            make_batches(DataLoader(mnist.val), 64, shuffle=seed(0), augment=EVERYTHING)


def test_a_recipe_without_augmentation_builds_none() -> None:
    assert augment.build(AugmentOptions()) is None


def test_a_recipes_options_are_the_augmentations() -> None:
    assert augment.build(AugmentOptions(rotate=7.5, flip=True)) == Augmentation(rotate=7.5, flip=True)


def test_kornia_is_loaded_only_where_images_are_bent() -> None:
    program = """
import sys, torch
from honshi.data.augment import Augmentation
pixels, draws = torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.Generator()
Augmentation(shift=0.1, flip=True, erase=0.5)(pixels, draws)
print("kornia" in sys.modules)
Augmentation(rotate=5.0)(pixels, draws)
print("kornia" in sys.modules)
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert finished.stdout.split() == ["False", "True"]
