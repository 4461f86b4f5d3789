from __future__ import annotations

import pytest

from honshi.evaluation.history import Row
from honshi.training.early_stopping import EarlyStopping


def row(val_loss: float) -> Row:
    return Row(1, 1.0, 0.5, val_loss, 0.5, lr=0.1, seconds=1.0)


def exhausted_after(stopping: EarlyStopping, val_losses: list[float]) -> list[bool]:
    """Whether patience has run out, after each of these losses."""
    verdicts = []
    for val_loss in val_losses:
        stopping.note(row(val_loss))
        verdicts.append(stopping.exhausted)
    return verdicts


def test_patience_runs_out_after_so_many_epochs_without_improvement() -> None:
    assert exhausted_after(EarlyStopping(patience=2), [1.0, 1.1, 1.2]) == [False, False, True]


def test_an_improvement_gives_all_patience_back() -> None:
    losses = [1.0, 1.1, 0.9, 1.0, 0.95]

    assert exhausted_after(EarlyStopping(patience=2), losses) == [False, False, False, False, True]


def test_being_below_the_last_loss_is_no_improvement_on_the_best_one() -> None:
    assert exhausted_after(EarlyStopping(patience=2), [1.0, 3.0, 2.0]) == [False, False, True]


def test_an_equal_loss_is_no_improvement() -> None:
    assert exhausted_after(EarlyStopping(patience=1), [1.0, 1.0]) == [False, True]


@pytest.mark.parametrize(("loss", "improved"), [(0.5, False), (0.49, True)])
def test_an_improvement_is_larger_than_min_delta(loss: float, improved: bool) -> None:
    stopping = EarlyStopping(patience=1, min_delta=0.5)

    assert exhausted_after(stopping, [1.0, loss]) == [False, not improved]


def test_many_small_improvements_add_up_to_one() -> None:
    stopping = EarlyStopping(patience=3, min_delta=0.25)

    exhausted_after(stopping, [1.0, 0.9, 0.8, 0.7])

    assert stopping.reference == 0.7
    assert stopping.waited == 0


def test_without_patience_it_never_stops() -> None:
    assert not any(exhausted_after(EarlyStopping(), [1.0] * 50))
