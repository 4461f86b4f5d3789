"""The mock exam by folds: what is counted, and what its interval is worth."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from honshi.data.folds import deal
from honshi.errors import ModelError
from honshi.evaluation.evaluate import score
from honshi.evaluation.intervals import wilson
from honshi.evaluation.out_of_fold import FILE, OutOfFold


def answers(right: list[list[bool]]) -> OutOfFold:
    """Two classes; the labels are all 0, and each answer is right or wrong as it is said."""
    given = torch.tensor(right)
    labels = torch.zeros(given.shape[1], dtype=torch.int64)
    found = OutOfFold.unanswered(deal(labels, 2, len(right)), labels, 2, 3)
    for repeat, fold in found.turns:
        places = found.held_out(repeat, fold)
        sure = torch.where(given[repeat, places], 2.0, -1.0)
        found.note(repeat, fold, torch.stack([sure, torch.zeros_like(sure)], 1), 1.5)
    return found


def test_an_image_counts_once_however_often_it_is_asked() -> None:
    found = answers([[True, True, False, True], [True, False, False, True]])

    assert found.accuracy == 5 / 8
    assert found.interval == wilson(2.5, 4)
    scored = found.evaluation(["a", "b"])
    assert (scored.n, scored.accuracy, scored.interval) == (4, 5 / 8, wilson(2.5, 4))
    assert scored.confusion == [[2.5, 1.5], [0, 0]]
    assert (scored.per_class["a"].n, scored.per_class["a"].recall) == (4, 5 / 8)


def test_always_wrong_is_what_no_model_has_taken_for_what_it_is() -> None:
    assert answers([[True, True, False, True], [True, False, False, True]]).always_wrong.tolist() == [2]


def test_one_model_on_a_validation_part_is_scored_as_ever() -> None:
    logits, labels = torch.randn(50, 3), torch.randint(3, (50,))

    found = OutOfFold.of_one_model(logits, labels, 2.0)

    assert found.evaluation(["a", "b", "c"]) == score(logits, labels, ["a", "b", "c"])
    torch.testing.assert_close(found.probabilities, (logits / 2).softmax(1))


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    found = answers([[True, False, True]])
    found.write(tmp_path)
    again = OutOfFold.read(tmp_path)

    assert torch.equal(found.logits, again.logits)
    assert torch.equal(found.folds, again.folds)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:90])
    with pytest.raises(ModelError, match="does not say what the models of the folds have answered"):
        OutOfFold.read(tmp_path)


def test_a_fold_without_an_answer_is_known() -> None:
    labels = torch.zeros(6, dtype=torch.int64)
    found = OutOfFold.unanswered(deal(labels, 3), labels, 2, 1)
    found.note(0, 1, torch.zeros(2, 2), 1.0)

    assert [found.answered(0, fold) for fold in range(3)] == [False, True, False]
