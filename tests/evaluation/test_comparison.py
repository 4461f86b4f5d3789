from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from statsmodels.stats.contingency_tables import mcnemar

from honshi.evaluation.comparison import Comparison, _student_above, compare, compare_recipes


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


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 30, 5999])
@pytest.mark.parametrize("t", [0.0, 0.5, 2.0, 6.0])
def test_students_distribution_is_that_of_scipy(t: float, freedom: int) -> None:
    assert _student_above(t, freedom) == pytest.approx(student.sf(t, freedom), abs=1e-12)


def seeds_right(accuracies: list[float], n: int, draws: torch.Generator) -> torch.Tensor:
    """Answers of models of these accuracies to the same n images, some of which are harder than others."""
    difficulty = torch.rand(n, generator=draws)
    own = torch.rand(len(accuracies), n, generator=draws)
    return (difficulty + own) / 2 < torch.tensor(accuracies).unsqueeze(1)


def test_recipes_that_are_alike_are_seldom_told_apart() -> None:
    draws = torch.Generator().manual_seed(0)
    found = 0
    for _ in range(500):
        # Seeds differ by two points, as they do.
        accuracies = 0.7 + 0.02 * torch.randn(10, generator=draws)
        right = seeds_right(accuracies.tolist(), 500, draws)
        found += compare_recipes(right[:5], right[5:]).p_value < 0.05

    assert found / 500 < 0.06


def test_a_recipe_that_is_clearly_better_is_told_so() -> None:
    right = seeds_right([0.6] * 5 + [0.7] * 5, 2000, torch.Generator().manual_seed(0))

    result = compare_recipes(right[:5], right[5:])

    assert result.p_value < 0.001
    assert result.difference == pytest.approx(float(right[5:].double().mean() - right[:5].double().mean()))
    assert compare_recipes(right[5:], right[:5]).p_value == 1


def test_a_recipe_is_not_better_than_itself() -> None:
    right = seeds_right([0.6] * 3, 100, torch.Generator().manual_seed(0))

    result = compare_recipes(right, right)

    assert (result.difference, result.error, result.p_value) == (0, 0, 1)


def test_seeds_that_disagree_are_noise_however_many_images_there_are() -> None:
    first = seeds_right([0.5] * 3, 50_000, torch.Generator().manual_seed(0))
    second = seeds_right([0.6, 0.6, 0.45], 50_000, torch.Generator().manual_seed(0))

    result = compare_recipes(first, second)

    assert result.difference > 0.03
    assert result.p_value > 0.05
