from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import precision_recall_fscore_support

from honshi.evaluation.metrics import ClassScore, confusion_matrix, per_class

K = 4
pairs = st.lists(st.tuples(st.integers(0, K - 1), st.integers(0, K - 1)), min_size=1, max_size=60)


@settings(max_examples=50)
@given(pairs=pairs)
def test_the_confusion_matrix_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = torch.tensor(pairs).unbind(1)

    expected = sklearn_confusion(labels.numpy(), predictions.numpy(), labels=range(K))

    np.testing.assert_array_equal(confusion_matrix(labels, predictions, K).numpy(), expected)


@settings(max_examples=50)
@given(pairs=pairs)
def test_precision_and_recall_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = torch.tensor(pairs).unbind(1)
    precision, recall, _, support = precision_recall_fscore_support(
        labels.numpy(), predictions.numpy(), labels=range(K), zero_division=np.nan
    )

    scores = per_class(confusion_matrix(labels, predictions, K), "abcd")

    for c, score in enumerate(scores.values()):
        assert score.n == support[c]
        assert score.precision == (None if np.isnan(precision[c]) else pytest.approx(precision[c]))
        assert score.recall == (None if np.isnan(recall[c]) else pytest.approx(recall[c]))


def test_rows_are_true_classes_and_columns_predicted_ones() -> None:
    matrix = confusion_matrix(torch.tensor([0, 0, 2]), torch.tensor([1, 1, 2]), 3)

    assert matrix.tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_scores_go_by_the_names_of_the_classes() -> None:
    scores = per_class(torch.tensor([[3, 1], [0, 4]]), ("cat", "dog"))

    assert scores == {
        "cat": ClassScore(n=4, recall=0.75, precision=1.0),
        "dog": ClassScore(n=4, recall=1.0, precision=0.8),
    }


def test_a_ratio_over_nothing_is_none() -> None:
    scores = per_class(torch.tensor([[0, 0], [2, 0]]), ("cat", "dog"))

    assert scores == {
        "cat": ClassScore(n=0, recall=None, precision=0.0),
        "dog": ClassScore(n=2, recall=0.0, precision=None),
    }
