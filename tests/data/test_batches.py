"""Mini-batches: every image once an epoch, in an order that a seed decides, and as a DataLoader gives them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

import honshi
from honshi.data import batches
from honshi.data.batches import Batches, make_batches
from honshi.data.images import Images
from honshi.pictures.contract import Normalization
from honshi.runtime import available_devices

BYTES = Normalization(mean=(0.0,), std=(1 / 255,))


def numbered(count: int) -> Images:
    """Images of 1 x 1, each of a class of its own, that show the number of their class."""
    numbers = torch.arange(count)
    return Images(
        pixels=numbers.to(torch.uint8).view(count, 1, 1, 1),
        labels=numbers,
        classes=tuple(map(str, range(count))),
        normalization=BYTES,
    )


def order_of(epoch: Batches) -> list[int]:
    """The labels of an epoch as they come."""
    return [label for _, labels in epoch for label in labels.tolist()]


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


class TestAnEpoch:
    @given(count=st.integers(1, 256), batch_size=st.integers(1, 300), shuffled=st.booleans())
    def test_every_image_comes_once_with_its_own_label(self, count: int, batch_size: int, shuffled: bool) -> None:
        epoch = list(Batches(numbered(count), batch_size, shuffle=seed(0) if shuffled else None))
        inputs, labels = torch.cat([inputs for inputs, _ in epoch]), torch.cat([labels for _, labels in epoch])
        assert labels.sort().values.tolist() == list(range(count))
        torch.testing.assert_close(inputs.flatten(), labels.float())

    @given(count=st.integers(1, 256), batch_size=st.integers(1, 300))
    def test_all_batches_are_full_but_the_last_which_is_kept(self, count: int, batch_size: int) -> None:
        mini_batches = Batches(numbered(count), batch_size)
        sizes = [len(labels) for _, labels in mini_batches]
        assert len(sizes) == len(mini_batches)
        assert sizes[:-1] == [batch_size] * (len(sizes) - 1)
        assert sizes[-1] == count - batch_size * (len(sizes) - 1) > 0

    def test_no_images_are_no_batches(self) -> None:
        assert list(Batches(numbered(3).subset([]), 2)) == []

    def test_inputs_are_floats_and_labels_are_what_a_loss_takes(self, mnist: honshi.Splits) -> None:
        inputs, labels = next(iter(Batches(mnist.val, 64)))
        assert (inputs.dtype, inputs.shape) == (torch.float32, (64, 1, 28, 28))
        assert (labels.dtype, labels.shape) == (torch.int64, (64,))

    @pytest.mark.parametrize("batch_size", [1, 7, 64, 300])
    def test_the_batches_are_those_of_a_data_loader(self, mnist: honshi.Splits, batch_size: int) -> None:
        images = mnist.val.subset(range(200))
        for (inputs, labels), (expected_inputs, expected_labels) in zip(
            Batches(images, batch_size), DataLoader(images, batch_size), strict=True
        ):
            assert torch.equal(inputs, expected_inputs)
            assert torch.equal(labels, expected_labels)

    @pytest.mark.parametrize("block_bytes", [1, 3 * 4 * 28 * 28 * 8, 1 << 40])
    def test_how_many_are_made_in_one_go_changes_nothing(
        self, mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch, block_bytes: int
    ) -> None:
        images = mnist.val.subset(range(100))
        expected = list(Batches(images, 8, shuffle=seed(0)))
        monkeypatch.setattr(batches, "BLOCK_BYTES", block_bytes)
        found = list(Batches(images, 8, shuffle=seed(0)))
        for (inputs, labels), (expected_inputs, expected_labels) in zip(found, expected, strict=True):
            assert torch.equal(inputs, expected_inputs)
            assert torch.equal(labels, expected_labels)


class TestOrder:
    def test_without_a_generator_images_come_in_their_own_order(self) -> None:
        assert order_of(Batches(numbered(100), 7)) == list(range(100))

    def test_the_same_seed_gives_the_same_order(self) -> None:
        once, again = Batches(numbered(100), 7, shuffle=seed(1)), Batches(numbered(100), 7, shuffle=seed(1))
        assert order_of(once) == order_of(again) != list(range(100))

    def test_the_batch_size_does_not_change_the_order(self) -> None:
        assert order_of(Batches(numbered(100), 7, shuffle=seed(1))) == order_of(
            Batches(numbered(100), 32, shuffle=seed(1))
        )

    def test_another_seed_gives_another_order(self) -> None:
        assert order_of(Batches(numbered(100), 7, shuffle=seed(1))) != order_of(
            Batches(numbered(100), 7, shuffle=seed(2))
        )

    def test_each_epoch_has_an_order_of_its_own(self) -> None:
        shuffled = Batches(numbered(100), 7, shuffle=seed(1))
        assert order_of(shuffled) != order_of(shuffled)

    def test_the_random_state_of_the_program_is_left_alone(self) -> None:
        before = torch.get_rng_state()
        order_of(Batches(numbered(100), 7, shuffle=seed(1)))
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize("device", available_devices())
    def test_every_device_gives_the_same_batches(self, device: str) -> None:
        there = Batches(numbered(100), 7, shuffle=seed(1), device=torch.device(device))
        inputs, labels = next(iter(there))
        assert inputs.device.type == labels.device.type == device
        assert order_of(Batches(numbered(100), 7, shuffle=seed(1), device=torch.device(device))) == order_of(
            Batches(numbered(100), 7, shuffle=seed(1))
        )


class TestWhatHoldsImages:
    DATASET = TensorDataset(torch.arange(10.0).view(10, 1), torch.arange(10))

    def labels_of(self, data: object, shuffle: torch.Generator | None = None) -> list[list[int]]:
        return [labels.tolist() for _, labels in make_batches(data, 4, shuffle=shuffle)]

    def test_images_are_taken(self) -> None:
        assert self.labels_of(numbered(6)) == [[0, 1, 2, 3], [4, 5]]

    def test_any_dataset_is_taken(self) -> None:
        assert self.labels_of(self.DATASET) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        assert len(make_batches(self.DATASET, 4)) == 3

    def test_a_dataset_is_shuffled_by_the_generator(self) -> None:
        once, again = self.labels_of(self.DATASET, seed(1)), self.labels_of(self.DATASET, seed(1))
        assert once == again != self.labels_of(self.DATASET)
        assert sorted(label for labels in once for label in labels) == list(range(10))

    def test_a_data_loader_keeps_its_batch_size_and_its_order(self) -> None:
        loader = DataLoader(self.DATASET, batch_size=5, sampler=[9, 8, 7, 6, 5])
        assert self.labels_of(loader, seed(1)) == [[9, 8, 7, 6, 5]]
        assert len(make_batches(loader, 4)) == 1

    @pytest.mark.parametrize("device", available_devices())
    def test_the_batches_of_a_dataset_come_to_the_device(self, device: str) -> None:
        for inputs, labels in make_batches(self.DATASET, 4, device=torch.device(device)):
            assert inputs.device.type == labels.device.type == device

    @pytest.mark.parametrize("junk", [None, "mnist", [1, 2], torch.zeros(2), (torch.zeros(2), torch.zeros(2))])
    def test_anything_else_is_refused_with_what_would_do(self, junk: object) -> None:
        with pytest.raises(TypeError, match=rf"this is a {type(junk).__name__}\. .*TensorDataset\(inputs, labels\)"):
            make_batches(junk, 4)
