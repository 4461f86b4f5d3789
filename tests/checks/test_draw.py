from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from honshi.checks.draw import draw, known_kind
from honshi.errors import DataError

INPUTS, LABELS = torch.randn(130, 5), torch.arange(130) % 3
PAIRS = TensorDataset(INPUTS, LABELS)


class Stream(IterableDataset[tuple[Tensor, int]]):
    def __init__(self, length: int) -> None:
        self.length = length
        self.given = 0

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        for place in range(self.length):
            self.given += 1
            yield INPUTS[place % 130], place % 3


class Listed(Dataset[Any]):
    """Items as they come."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


def collated(change: Callable[[Tensor, Tensor], Any]) -> DataLoader[Any]:
    """A loader whose batches are made by a function of inputs and labels."""
    return DataLoader(
        PAIRS,
        batch_size=10,
        collate_fn=lambda items: change(torch.stack([x for x, _ in items]), torch.stack([y for _, y in items])),
    )


def test_of_a_stream_no_more_is_read_than_is_looked_at() -> None:
    stream = Stream(10**9)

    sample = draw(stream)

    assert len(sample) == stream.given == 1024
    assert sample.count is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (Stream(0), "no examples"),
        (Listed(), "no examples"),
        (Listed((INPUTS[0], 1)), "only one example"),
        (Listed(INPUTS[0], INPUTS[1]), "is a Tensor; __getitem__ returns the pair"),
        (Listed({"image": 1, "label": 2}, {}), r"is a dict"),
        (Listed(((INPUTS[0], INPUTS[0]), 1), ((INPUTS[0], INPUTS[0]), 1)), "a tuple of 2, and a model is called with"),
        (Listed(("cat.png", 1), ("dog.png", 0)), "is a str and a model takes tensors"),
        (Listed((INPUTS[0], "cat"), (INPUTS[0], "cat")), "A label is a str, 'cat'"),
        (Listed((INPUTS[0], 1), (INPUTS[0, :3], 1)), r"different shapes, \(3,\) and \(5,\)"),
        (collated(lambda x, y: {"x": x, "y": y}), "a dict with 'x' and 'y' as a batch"),
        (collated(lambda x, y: (x, y, y)), "a tuple of 3 as a batch"),
        (collated(lambda x, y: x), "a Tensor as a batch"),
        (collated(lambda x, y: ([x, x], y)), "a list of 2 as inputs"),
        (collated(lambda x, y: ({"x": x}, y)), "a dict with 'x' as inputs"),
        (collated(lambda x, y: (x, ["cat"] * len(y))), "a list of 10 as labels"),
        (collated(lambda x, y: (x, y[:3])), "10 inputs and 3 labels"),
        (collated(lambda x, y: (x[:, : 1 + int(y[0])], y)), "inputs of different shapes"),
        (DataLoader(PAIRS, batch_size=None), "without a batch dimension"),
    ],
)
def test_data_of_which_no_batch_can_be_made_are_told_what_they_are(data: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        draw(data)


def test_batches_may_be_numpys() -> None:
    sample = draw(collated(lambda x, y: (np.asarray(x), np.asarray(y))))

    assert (sample.inputs.dtype, sample.labels.dtype) == (torch.float32, torch.int64)


def test_a_class_of_a_data_set_is_told_to_be_one() -> None:
    with pytest.raises(TypeError, match=r"the class Stream, without \(\)"):
        known_kind(Stream)


@pytest.mark.parametrize(
    ("data", "last"),
    [
        (PAIRS, 2),
        (DataLoader(PAIRS, batch_size=43), 1),
        (DataLoader(PAIRS, batch_size=13), 13),
        (DataLoader(PAIRS, batch_size=43, drop_last=True), None),
        (Stream(130), None),
    ],
)
def test_the_size_of_the_last_batch_is_known_where_the_data_tell_it(data: Any, last: int | None) -> None:
    assert draw(data).last_batch(64) == last
