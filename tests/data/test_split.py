"""The split: by class, by seed, frozen in a manifest, and the test set sealed beside it."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import honshi
from honshi.data.manifest import Manifest, short_digests
from honshi.data.sources import open_published
from honshi.data.split import load, load_again, stratified_split
from honshi.errors import ArgumentError, DataError, DataNotFoundError, RequestError

labels_of_up_to_six_classes = st.lists(st.integers(0, 5), min_size=2, max_size=200).map(torch.tensor)
fractions = st.floats(0, 1, exclude_min=True, exclude_max=True)
seeds = st.integers(0, 2**63 - 1)


@pytest.fixture
def small(idx_folder: Path) -> str:
    """Classes of 60, 30, 20 and 10 images, as ``--data`` takes them."""
    return f"idx:{idx_folder}"


class TestStratifiedSplit:
    @given(labels=labels_of_up_to_six_classes, fraction=fractions, seed=seeds)
    def test_every_place_is_in_one_part_and_each_class_has_its_share(
        self, labels: torch.Tensor, fraction: float, seed: int
    ) -> None:
        wanted = round(fraction * len(labels))
        assume(0 < wanted < len(labels))
        first, second = stratified_split(labels, fraction, seed)

        assert len(second) == wanted
        assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(labels)))
        assert first.tolist() == sorted(first.tolist())
        assert second.tolist() == sorted(second.tolist())
        for label in labels.unique():
            share = fraction * int((labels == label).sum())
            assert abs(int((labels[second] == label).sum()) - share) < 1 + 1e-9

    @given(labels=labels_of_up_to_six_classes, fraction=fractions, seed=seeds)
    def test_the_same_seed_divides_the_same_way(self, labels: torch.Tensor, fraction: float, seed: int) -> None:
        assume(0 < round(fraction * len(labels)) < len(labels))
        once, again = stratified_split(labels, fraction, seed), stratified_split(labels, fraction, seed)
        assert torch.equal(once[0], again[0])
        assert torch.equal(once[1], again[1])

    def test_another_seed_divides_another_way(self) -> None:
        labels = torch.arange(200) % 4
        assert not torch.equal(stratified_split(labels, 0.25, 0)[1], stratified_split(labels, 0.25, 1)[1])

    @pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
    def test_a_fraction_lies_between_zero_and_one(self, fraction: float) -> None:
        with pytest.raises(RequestError, match=r"between 0 and 1, and .* does not"):
            stratified_split(torch.zeros(10, dtype=torch.int64), fraction, 0)

    @pytest.mark.parametrize("fraction", [True, "0.1", None])
    def test_what_is_no_number_is_no_fraction(self, fraction: float) -> None:
        with pytest.raises(RequestError, match=r"between 0 and 1"):
            stratified_split(torch.zeros(10, dtype=torch.int64), fraction, 0)

    @pytest.mark.parametrize("seed", [-1, 1.5, True])
    def test_a_seed_is_a_whole_number(self, seed: int) -> None:
        with pytest.raises(RequestError, match=f"seed is a whole number and at least 0, not {seed}"):
            stratified_split(torch.zeros(10, dtype=torch.int64), 0.5, seed)

    @pytest.mark.parametrize("fraction", [0.01, 0.99])
    def test_no_part_is_left_empty(self, fraction: float) -> None:
        with pytest.raises(RequestError, match=rf"A fraction of {fraction} of 10 images leaves one part"):
            stratified_split(torch.zeros(10, dtype=torch.int64), fraction, 0)


class TestMNIST:
    def test_a_tenth_of_each_digit_is_set_aside(self, mnist: honshi.Splits) -> None:
        assert (len(mnist.train), len(mnist.val)) == (54_000, 6_000)
        for published, kept in zip(open_published("mnist").train.class_counts(), mnist.val.class_counts(), strict=True):
            assert abs(kept - published / 10) < 1

    def test_seed_0_gives_on_every_machine_what_it_gave_at_first(self, mnist: honshi.Splits) -> None:
        first = open_published("mnist").train.subset([6, 7, 20, 36, 39])
        assert torch.equal(mnist.val.pixels[:5], first.pixels)
        assert mnist.val.sha256() == "c48ec2a67b4b7279406e61fe5c517e79ca36066ca98ed47b3b57b1f07f7bfba0"

    def test_the_three_parts_cannot_be_exchanged(self, mnist: honshi.Splits) -> None:
        with pytest.raises(FrozenInstanceError):
            mnist.val = mnist.train  # type: ignore[misc]


class TestSeedAndFraction:
    def test_the_same_seed_gives_the_same_parts(self, small: str) -> None:
        assert load(small, seed=3).manifest == load(small, seed=3).manifest

    def test_another_seed_gives_other_parts(self, small: str) -> None:
        assert load(small, seed=3).manifest.val_sha256 != load(small, seed=4).manifest.val_sha256

    def test_as_much_is_set_aside_as_was_asked_for(self, small: str) -> None:
        splits = load(small, val=0.1)
        assert splits.train.class_counts() == [54, 27, 18, 9]
        assert splits.val.class_counts() == [6, 3, 2, 1]

    @pytest.mark.parametrize("val", [0.0, 1.0, 0.001])
    def test_a_split_without_one_of_its_parts_is_refused(self, small: str, val: float) -> None:
        with pytest.raises(RequestError):
            load(small, val=val)

    def test_an_unknown_data_set_is_not_found(self) -> None:
        with pytest.raises(DataNotFoundError, match="'mnits'"):
            load("mnits")


class TestSubset:
    def test_the_validation_part_stays_whole(self, small: str) -> None:
        whole, part = load(small), load(small, subset=20)
        assert part.val.sha256() == whole.val.sha256()
        assert part.manifest.val_digests == whole.manifest.val_digests
        assert len(part.train) == part.manifest.train_size == 20

    def test_it_is_drawn_from_the_training_part_by_class(self, small: str) -> None:
        whole, part = load(small, val=0.5), load(small, val=0.5, subset=12)
        assert part.train.class_counts() == [6, 3, 2, 1]
        of_training = {image.numpy().tobytes() for image in whole.train.pixels}
        assert all(image.numpy().tobytes() in of_training for image in part.train.pixels)

    def test_all_of_them_is_no_subset(self, small: str) -> None:
        whole = load(small)
        assert load(small, subset=len(whole.train)).manifest == whole.manifest

    def test_it_may_be_smaller_than_the_number_of_classes(self, small: str) -> None:
        assert len(load(small, subset=1).train) == 1

    def test_more_than_there_is_is_refused(self, small: str) -> None:
        with pytest.raises(RequestError, match=r"A subset of 109 images .* the training part has 108"):
            load(small, subset=109)


class TestNormalization:
    def test_mean_and_deviation_are_numpys_on_the_training_part_alone(self, small: str) -> None:
        splits = load(small, val=0.5)
        scaled = splits.train.pixels.numpy() / 255.0
        assert splits.train.normalization.mean == pytest.approx([scaled.mean()], abs=1e-12)
        assert splits.train.normalization.std == pytest.approx([scaled.std()], abs=1e-12)
        assert splits.val.normalization == splits.train.normalization

    def test_a_subset_is_all_that_is_measured(self, small: str) -> None:
        train = load(small, subset=10).train
        assert train.normalization.mean == pytest.approx([train.pixels.numpy().mean() / 255], abs=1e-12)

    def test_the_lectures_pair_maps_black_to_minus_one_and_white_to_one(self, mnist: honshi.Splits) -> None:
        pictures = mnist.val.normalization(mnist.val.pixels[:100])
        assert (pictures.min().item(), pictures.max().item()) == (-1.0, 1.0)


class TestManifest:
    def test_it_names_source_seed_and_sizes(self, small: str) -> None:
        manifest = load(small, val=0.25, seed=5).manifest
        assert (manifest.source, manifest.seed, manifest.val_fraction) == ("idx:" + Path(small).name, 5, 0.25)
        assert (manifest.train_size, manifest.val_size) == (90, 30)

    def test_it_holds_no_path(self, small: str) -> None:
        assert str(Path(small.removeprefix("idx:")).parent) not in json.dumps(load(small).manifest.to_dict())

    def test_its_hashes_are_the_identities_of_the_parts(self, small: str) -> None:
        splits = load(small)
        assert splits.manifest.train_sha256 == splits.train.identity
        assert splits.manifest.val_sha256 == splits.val.identity

    def test_an_image_is_named_by_its_hash_and_its_label(self, small: str) -> None:
        val = load(small).val
        name = f"{hashlib.sha256(val.pixels[2].numpy().tobytes()).hexdigest()[:16]}-{int(val.labels[2])}"
        assert load(small).manifest.val_digests == short_digests(val)
        assert short_digests(val)[2] == name

    def test_training_images_are_listed_where_they_are_not_all_the_others(self, small: str) -> None:
        assert load(small).manifest.train_digests is None
        part = load(small, subset=20)
        assert part.manifest.train_digests == short_digests(part.train)

    def test_it_goes_to_json_and_back(self, small: str) -> None:
        for manifest in (load(small).manifest, load(small, subset=20).manifest):
            assert Manifest.from_json(json.dumps(manifest.to_dict())) == manifest


class TestDividedAgain:
    """A data set that was copied, renamed, put in another order or changed since it was divided."""

    @pytest.fixture
    def folder(self, small: str, tmp_path: Path) -> Path:
        return Path(shutil.copytree(small.removeprefix("idx:"), tmp_path / "elsewhere"))

    @pytest.mark.parametrize("subset", [None, 20])
    def test_elsewhere_it_is_the_same_division(self, small: str, folder: Path, subset: int | None) -> None:
        then = load(small, subset=subset)
        now = load_again(f"idx:{folder}", then.manifest, subset=subset)
        assert torch.equal(now.val.pixels, then.val.pixels)
        assert torch.equal(now.train.pixels, then.train.pixels)

    @pytest.mark.parametrize("subset", [None, 20])
    def test_in_another_order_each_part_has_the_same_images(self, small: str, folder: Path, subset: int | None) -> None:
        then = load(small, subset=subset)
        rewrite(folder, torch.arange(119, -1, -1))
        now = load_again(f"idx:{folder}", then.manifest, subset=subset)
        assert torch.equal(now.val.pixels, then.val.pixels)
        assert now.train.identity == then.train.identity
        assert now.train.normalization == then.train.normalization

    def test_what_is_missing_is_counted(self, small: str, folder: Path) -> None:
        manifest = load(small).manifest
        rewrite(folder, torch.arange(5, 120))
        with pytest.raises(DataError, match=r"5 of its 120 images are missing"):
            load_again(f"idx:{folder}", manifest)

    def test_what_is_new_is_counted(self, small: str, folder: Path) -> None:
        manifest = load(small).manifest
        rewrite(folder, torch.cat([torch.arange(120), torch.arange(3)]))
        with pytest.raises(DataError, match=r"3 are new"):
            load_again(f"idx:{folder}", manifest)

    def test_another_label_is_another_image(self, small: str, folder: Path) -> None:
        manifest = load(small).manifest
        labels = folder / "train-labels-idx1-ubyte"
        content = bytearray(labels.read_bytes())
        content[8] = (content[8] + 1) % 4
        labels.write_bytes(content)
        with pytest.raises(DataError, match=r"missing|others"):
            load_again(f"idx:{folder}", manifest)

    def test_a_manifest_of_the_first_version_is_compared_by_the_hash_over_the_order(
        self, small: str, folder: Path
    ) -> None:
        splits = load(small)
        first = Manifest("x", 0, 0.1, 108, 12, splits.train.sha256(), splits.val.sha256(), val_indices=[0])
        assert torch.equal(load_again(f"idx:{folder}", first).val.pixels, splits.val.pixels)
        rewrite(folder, torch.arange(119, -1, -1))
        with pytest.raises(DataError, match="order"):
            load_again(f"idx:{folder}", first)


def rewrite(folder: Path, places: torch.Tensor) -> None:
    """Only these of the training images, in this order."""
    for name, header in (("train-images-idx3-ubyte", 16), ("train-labels-idx1-ubyte", 8)):
        content = (folder / name).read_bytes()
        values = torch.frombuffer(bytearray(content[header:]), dtype=torch.uint8).view(120, -1)[places]
        sizes = len(places).to_bytes(4, "big") + content[8:header]
        (folder / name).write_bytes(content[:4] + sizes + values.numpy().tobytes())


def test_whole_numbers_of_numpy_are_taken(small: str) -> None:
    splits = load(small, subset=np.int64(10), seed=np.int64(1))  # type: ignore[arg-type]

    assert splits.manifest == load(small, subset=10, seed=1).manifest


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": True},
        {"subset": 1.5},
        {"subset": 0},
        {"subset": -1},
        {"subset": True},
        {"normalize": None},
        {"normalize": (0.5,)},
    ],
    ids=str,
)
def test_options_that_mean_nothing_are_named(small: str, wrong: dict[str, Any]) -> None:
    (name,) = wrong

    with pytest.raises(ArgumentError, match=f"^{name} is"):
        load(small, **wrong)


@pytest.mark.parametrize("name", [None, 3, "a\0b", "a" * 5000, "idx:" + "a" * 5000], ids=lambda name: str(name)[:5])
def test_what_is_no_name_of_data_is_refused(name: Any) -> None:
    with pytest.raises(DataNotFoundError):
        load(name)
