"""Curves of any length as no more points than a picture has columns."""

from __future__ import annotations

from collections.abc import Sequence


def reduced(values: Sequence[float | None], columns: int) -> list[int]:
    """The places of the values that a curve so many columns wide needs: the least and the largest of each column.

    What a curve shows at that width is the same as with all of them (M4 without first and last; U. Jugel et al., "M4:
    A visualization-oriented time series data aggregation", 2014). Both ends are among them.

    Args:
        values: of a curve, in their order; None where there is none.
        columns: at least 1.

    Returns:
        Ascending places, at most 2 for each column and both ends.
    """
    count = len(values)
    if count <= 2 * columns:
        return list(range(count))
    places = {0, count - 1}
    for column in range(columns):
        inside = [
            place
            for place in range(column * count // columns, (column + 1) * count // columns)
            if values[place] is not None
        ]
        if inside:
            places.add(min(inside, key=lambda place: values[place] or 0.0))
            places.add(max(inside, key=lambda place: values[place] or 0.0))
    return sorted(places)
