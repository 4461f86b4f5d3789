"""Pictures that belong together are in one unit, and no others."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from honshi.data.parts.units import ALONE, numbered, units_of


def test_a_picture_that_belongs_to_nobody_is_a_unit() -> None:
    assert units_of(3).tolist() == [0, 1, 2]


def test_groups_and_pairs_are_joined_with_one_another() -> None:
    first, second = np.array([0, 0, 1, ALONE, ALONE, 1]), np.array([ALONE, 5, 5, ALONE, ALONE, ALONE])
    assert units_of(6, [first, second]).tolist() == [0, 0, 0, 3, 4, 0]
    assert units_of(6, [first], [(3, 4), (4, 5)]).tolist() == [0, 0, 2, 2, 2, 2]


def test_the_empty_text_is_no_group() -> None:
    numbers = numbered(["a", "", "b", "a", ""]).tolist()
    assert numbers[0] == numbers[3] != numbers[2]
    assert numbers[1] == numbers[4] == ALONE


pairs_of_twenty = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40)
groups_of_twenty = st.lists(st.integers(-1, 5), min_size=20, max_size=20)


@given(pairs_of_twenty, groups_of_twenty)
def test_units_are_what_can_be_reached_from_one_another(pairs: list[tuple[int, int]], group: list[int]) -> None:
    units = units_of(20, [np.array(group)], pairs)
    reached = {place: {place} for place in range(20)}
    edges = pairs + [(a, b) for a in range(20) for b in range(20) if group[a] == group[b] != ALONE]
    for _ in range(20):
        for first, second in edges:
            reached[first] |= reached[second]
            reached[second] |= reached[first]
    assert units.tolist() == [min(reached[place]) for place in range(20)]
