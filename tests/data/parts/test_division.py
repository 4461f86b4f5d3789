"""A share is drawn in the proportion of the classes, and no unit is torn apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from honshi.data.parts.division import draw, ranks_of, smallest
from honshi.data.split import stratified_split


def keys(count: int) -> NDArray[np.uint8]:
    """Something that tells so many pictures apart."""
    return np.arange(count, dtype=">u8").view(np.uint8).reshape(count, 8)


def drawn(labels: list[int], units: list[int], share: float, classes: int) -> NDArray[np.bool_]:
    of_class = np.array(labels, dtype=np.int64)
    lacking = (share * np.bincount(of_class, minlength=classes)).astype(np.float64)
    return draw(of_class, np.array(units, dtype=np.int64), ranks_of(keys(len(labels))), lacking)


@given(st.lists(st.integers(0, 4), min_size=20, max_size=200), st.floats(0.05, 0.5))
def test_where_each_picture_is_alone_as_many_are_drawn_as_by_the_stratified_split(
    labels: list[int], share: float
) -> None:
    labels = labels + [0, 1, 2, 3, 4] * 20  # no class is so small that it would give its last away
    taken = drawn(labels, list(range(len(labels))), share, 5)
    _, expected = stratified_split(torch.tensor(labels), share, seed=0)
    found = np.bincount(np.array(labels)[taken], minlength=5)
    whole = np.floor(share * np.bincount(labels, minlength=5))
    assert abs(found.sum() - len(expected)) <= 1  # half a picture is rounded either way
    assert ((found == whole) | (found == whole + 1)).all()


pictures = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=3, max_size=120)


@given(pictures, st.floats(0.05, 0.6))
def test_no_unit_is_torn_and_no_class_gives_its_last_away(pictures: list[tuple[int, int]], share: float) -> None:
    labels, units = np.array(pictures).T
    taken = drawn(labels.tolist(), units.tolist(), share, 4)
    for unit in range(13):
        assert len(set(taken[units == unit].tolist())) <= 1
    for label in range(4):
        assert not (labels == label).any() or not taken[labels == label].all()
    assert taken.sum() <= share * len(labels) + max(np.bincount(units)) / 2 + 1


def test_what_is_drawn_depends_on_what_pictures_are_and_not_on_their_order() -> None:
    labels, units, ranks = np.arange(60) % 3, np.arange(60) // 2 * 2, ranks_of(keys(60))
    taken = draw(labels, units, ranks, np.array([3.0, 3.0, 3.0]))
    order = np.random.default_rng(0).permutation(60)
    again = draw(labels[order], units[order], ranks[order], np.array([3.0, 3.0, 3.0]))
    assert again.tolist() == taken[order].tolist()


def test_a_seed_gives_an_order_of_its_own() -> None:
    assert ranks_of(keys(5)).tolist() != ranks_of(keys(5), 0).tolist() != ranks_of(keys(5), 1).tolist()


def test_what_a_class_has_elsewhere_lets_it_give_all_that_is_here() -> None:
    one, ranks = np.zeros(1, dtype=np.int64), ranks_of(keys(1))
    assert not draw(one, one, ranks, np.array([1.0])).any()
    assert draw(one, one, ranks, np.array([1.0]), np.array([4])).all()


@pytest.mark.parametrize(("sizes", "expected"), [([40, 50, 60], 40), ([5], 0)])
def test_the_smallest_unit_is_taken_where_one_is_more_than_the_share(sizes: list[int], expected: int) -> None:
    units = np.repeat(np.arange(len(sizes)), sizes)
    taken = smallest(np.zeros(len(units), dtype=np.int64), units, ranks_of(keys(len(units))), 1)
    assert taken.sum() == expected
