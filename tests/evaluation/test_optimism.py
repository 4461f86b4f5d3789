from __future__ import annotations

import numpy as np
import pytest

from honshi.evaluation.optimism import best_of


@pytest.mark.parametrize(
    ("looks", "n", "accuracy"), [(2, 100, 0.5), (10, 1000, 0.9), (50, 6000, 0.975), (400, 50, 0.8)]
)
def test_it_is_what_a_simulation_gives(looks: int, n: int, accuracy: float) -> None:
    generator = np.random.default_rng(0)
    repetitions = 4000
    best = generator.binomial(n, accuracy, size=(repetitions, looks)).max(axis=1) / n

    standard_error = best.std() / repetitions**0.5
    assert best_of(looks, n, accuracy) == pytest.approx(best.mean() - accuracy, abs=4 * standard_error)


def test_one_look_has_no_choice() -> None:
    assert best_of(1, 1000, 0.9) == 0


def test_more_looks_and_fewer_images_explain_more() -> None:
    assert best_of(10, 1000, 0.9) < best_of(100, 1000, 0.9)
    assert best_of(10, 10_000, 0.9) < best_of(10, 1000, 0.9)


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_at_the_ends_nothing_varies(accuracy: float) -> None:
    assert best_of(100, 1000, accuracy) == 0
