from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar

from honshi.evaluation.comparison import Comparison, compare


def answers(both: int, only_first: int, only_second: int, neither: int) -> Comparison:
    first = torch.tensor([True] * (both + only_first) + [False] * (only_second + neither))
    second = torch.tensor([True] * both + [False] * only_first + [True] * only_second + [False] * neither)
    return compare(first, second)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200), st.integers(1, 200))
def test_the_p_value_is_that_of_statsmodels(both: int, only_first: int, only_second: int, neither: int) -> None:
    result = answers(both, only_first, only_second, neither)

    expected = mcnemar(np.array([[both, only_first], [only_second, neither]]), exact=True)
    assert result.p_value == pytest.approx(min(float(expected.pvalue), 1.0), abs=1e-9)


def test_the_difference_is_that_of_the_accuracies() -> None:
    result = answers(both=70, only_first=5, only_second=15, neither=10)

    assert result.difference == pytest.approx(0.10)
    assert (result.n, result.only_first, result.only_second) == (100, 5, 15)


def test_few_discordant_images_are_within_noise() -> None:
    assert answers(both=990, only_first=2, only_second=7, neither=1).within_noise


def test_many_one_sided_ones_are_not() -> None:
    assert not answers(both=970, only_first=2, only_second=20, neither=8).within_noise
