from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from honshi.evaluation.intervals import wilson

counts = st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=200)
@given(counts=counts, confidence=st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_it_is_the_wilson_interval_of_statsmodels(counts: tuple[int, int], confidence: float) -> None:
    right, n = counts

    expected = proportion_confint(right, n, alpha=1 - confidence, method="wilson")

    assert wilson(right, n, confidence) == pytest.approx(expected, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 10), (10, 10), (0, 10_000), (10_000, 10_000)])
def test_at_the_ends_it_is_that_of_statsmodels_too(right: int, n: int) -> None:
    assert wilson(right, n) == pytest.approx(proportion_confint(right, n, method="wilson"), abs=1e-12)


@given(counts=counts)
def test_it_lies_within_0_and_1_and_holds_the_proportion(counts: tuple[int, int]) -> None:
    right, n = counts

    lower, upper = wilson(right, n)

    assert 0 <= lower <= right / n <= upper <= 1


def test_the_bound_at_an_end_is_the_end_itself() -> None:
    assert wilson(0, 10_000)[0] == 0.0
    assert wilson(10_000, 10_000)[1] == 1.0


def test_more_trials_make_it_narrower() -> None:
    widths = [upper - lower for lower, upper in (wilson(9 * n, 10 * n) for n in (1, 10, 100, 1000))]

    assert widths == sorted(widths, reverse=True)
