from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from honshi.web.charts import reduced

VALUES = st.lists(st.none() | st.floats(-1e6, 1e6), max_size=400)


@given(VALUES, st.integers(1, 50))
def test_a_curve_keeps_its_ends_and_the_least_and_the_largest_of_each_column(
    values: list[float | None], columns: int
) -> None:
    places = reduced(values, columns)

    assert places == sorted(set(places))
    assert len(places) <= 2 * columns + 2
    known = [value for value in values if value is not None]
    if known:
        kept = [value for place in places if (value := values[place]) is not None]
        assert (min(kept), max(kept)) == (min(known), max(known))
    if values:
        assert {0, len(values) - 1} <= set(places)


def test_a_short_curve_is_left_alone() -> None:
    assert reduced([3.0, None, 1.0, 2.0], 2) == [0, 1, 2, 3]
