"""The order of an epoch that is read file by file."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from honshi.data.order import shard_orders


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    processes=st.integers(1, 5),
    at_once=st.integers(1, 80),
    seed=st.integers(0, 1000),
)
def test_each_image_comes_once_and_each_process_has_its_share(
    sizes: list[int], processes: int, at_once: int, seed: int
) -> None:
    homes = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    counts = [len(homes) // processes + (rank < len(homes) % processes) for rank in range(processes)]

    orders = shard_orders(homes, counts, at_once, torch.Generator().manual_seed(seed))

    assert [len(order) for order in orders] == counts
    assert torch.equal(torch.cat(orders).sort().values, torch.arange(len(homes)))


def test_a_process_holds_no_more_than_it_can() -> None:
    homes = torch.arange(40).repeat_interleave(25)  # 1,000 images in 40 files

    for order in shard_orders(homes, [500, 500], 100, torch.Generator().manual_seed(0)):
        visits = [len(set(homes[some].tolist())) for some in order.split(100)]
        assert max(visits) == 4  # 100 images are four whole files
        first = {home: place for place, home in reversed(list(enumerate(homes[order].tolist())))}
        last = {home: place for place, home in enumerate(homes[order].tolist())}
        assert max(last[home] - first[home] for home in first) < 100


def test_the_images_of_files_that_are_held_together_are_mixed() -> None:
    homes = torch.arange(4).repeat_interleave(25)
    [order] = shard_orders(homes, [100], 100, torch.Generator().manual_seed(0))

    assert set(homes[order[:20]].tolist()) == {0, 1, 2, 3}


def test_another_epoch_has_another_order() -> None:
    homes, draws = torch.arange(4).repeat_interleave(25), torch.Generator().manual_seed(0)

    [first], [second] = (shard_orders(homes, [100], 10, draws) for _ in range(2))

    assert not torch.equal(first, second)
