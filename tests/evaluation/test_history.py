from __future__ import annotations

from honshi.evaluation.history import COLUMNS, Row, best_row


def row(epoch: int, val_loss: float, val_accuracy: float = 0.5) -> Row:
    return Row(epoch, 1.0, 0.5, val_loss, val_accuracy, lr=0.1, seconds=1.0)


def test_the_columns_are_those_of_history_csv() -> None:
    assert COLUMNS == ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds")


def test_a_row_is_its_columns_by_name() -> None:
    assert row(3, 0.25).to_dict() == {
        "epoch": 3,
        "train_loss": 1.0,
        "train_accuracy": 0.5,
        "val_loss": 0.25,
        "val_accuracy": 0.5,
        "lr": 0.1,
        "seconds": 1.0,
    }


def test_the_best_row_has_the_lowest_validation_loss_whatever_its_accuracy() -> None:
    rows = [row(1, 0.5, 0.9), row(2, 0.3, 0.8), row(3, 0.4, 0.99)]

    assert best_row(rows) is rows[1]


def test_the_earlier_of_equally_good_rows_is_the_best() -> None:
    rows = [row(1, 0.5), row(2, 0.3), row(3, 0.3)]

    assert best_row(rows) is rows[1]
