from __future__ import annotations

import pytest
import torch
from torch.utils.data import TensorDataset

import honshi
from honshi.data import Images
from honshi.data.batches import Batches
from honshi.training.distributed import SharedBatches, World, batches_of


def numbered(count: int) -> Images:
    """Images whose first pixel is their number."""
    pixels = torch.zeros(count, 1, 2, 2, dtype=torch.uint8)
    pixels[:, 0, 0, 0] = torch.arange(count)
    normalization = honshi.Normalization(mean=(0.0,), std=(1 / 255,))
    return Images(
        pixels=pixels, labels=torch.zeros(count, dtype=torch.int64), classes=("a",), normalization=normalization
    )


@pytest.mark.parametrize(("count", "batch_size", "size"), [(23, 5, 3), (21, 5, 2), (20, 5, 4), (3, 8, 4)])
def test_the_shares_of_a_mini_batch_are_the_mini_batch_of_one_process(count: int, batch_size: int, size: int) -> None:
    def shuffle() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    images = numbered(count)
    whole = [inputs[:, 0, 0, 0].tolist() for inputs, _ in Batches(images, batch_size, shuffle=shuffle())]
    worlds = [World(rank, size) for rank in range(size)]
    shares = [SharedBatches(images, batch_size, world, shuffle=shuffle()) for world in worlds]
    parts = [[inputs[:, 0, 0, 0].tolist() for inputs, _ in share] for share in shares]

    assert [len(share) for share in shares] == [len(whole)] * size
    for step, expected in enumerate(whole, start=1):
        assert [number for part in parts for number in part[step - 1]] == expected
        assert shares[0].whole_size(step) == len(expected)


def test_processes_augment_by_draws_of_their_own() -> None:
    augment = honshi.data.augment.Augmentation(erase=1.0)
    images = Images(
        pixels=torch.zeros(8, 1, 8, 8, dtype=torch.uint8), labels=torch.zeros(8, dtype=torch.int64), classes=("a",)
    )
    drawn = []
    for rank in range(2):
        generator = torch.Generator().manual_seed(0)
        drawn.append(next(iter(SharedBatches(images, 8, World(rank, 2), shuffle=generator, augment=augment)))[0])

    assert not torch.equal(drawn[0], drawn[1])


def test_only_images_are_divided() -> None:
    data = TensorDataset(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))

    with pytest.raises(TypeError, match=r"honshi\.Images"):
        batches_of(data, 2, World(0, 2))
