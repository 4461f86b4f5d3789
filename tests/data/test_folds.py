"""Dealing images out to folds: each once a turn, by classes, and what belongs together into one fold."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from honshi.data.folds import deal
from honshi.errors import RequestError


@given(
    labels=st.lists(st.integers(0, 3), min_size=12, max_size=80),
    folds=st.integers(2, 6),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 5),
)
def test_every_image_is_in_one_fold_a_turn_and_no_class_is_dealt_unevenly(
    labels: list[int], folds: int, repeats: int, seed: int
) -> None:
    dealt = deal(torch.tensor(labels), folds, repeats, seed)

    assert dealt.shape == (repeats, len(labels))
    assert torch.equal(dealt, deal(torch.tensor(labels), folds, repeats, seed))
    for turn in dealt:
        assert set(turn.tolist()) <= set(range(folds))
        for label in set(labels):
            counts = turn[torch.tensor(labels) == label].bincount(minlength=folds)
            assert int(counts.max() - counts.min()) <= 1
        sizes = turn.bincount(minlength=folds)
        assert int(sizes.max() - sizes.min()) <= len(set(labels))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=20, max_size=100), st.integers(0, 3))
def test_what_belongs_together_is_in_one_fold(pairs: list[tuple[int, int]], seed: int) -> None:
    units, labels = torch.tensor(pairs).unbind(1)
    if len(set(units.tolist())) < 3:
        return
    for turn in deal(labels, 3, 2, seed, units):
        for unit in set(units.tolist()):
            assert len(set(turn[units == unit].tolist())) == 1


def test_turns_differ() -> None:
    first, second = deal(torch.arange(60) % 2, 5, 2)

    assert not torch.equal(first, second)


def test_fewer_units_than_folds_are_refused() -> None:
    with pytest.raises(RequestError, match="3 images that do not belong together cannot be dealt out to 4 folds"):
        deal(torch.zeros(9, dtype=torch.int64), 4, units=torch.arange(9) // 3)
