"""Labels in doubt: confident learning on answers for images that were not learnt from."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from honshi.evaluation.label_doubts import doubted


def test_a_label_is_in_doubt_where_the_models_are_as_sure_of_another_class_as_of_its_own_images() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.05, 0.95], [0.45, 0.55]])
    labels = torch.tensor([0, 0, 1, 0, 0])

    (doubt,) = doubted(probabilities, labels)

    assert (doubt.place, doubt.label, doubt.suggested) == (3, 0, 1)
    torch.testing.assert_close(torch.tensor([doubt.own, doubt.other]), torch.tensor([0.05, 0.95]))


def test_the_most_doubtful_come_first() -> None:
    probabilities = torch.tensor([[0.0, 1.0], [0.2, 0.8], [0.1, 0.9]] + [[0.95, 0.05]] * 5 + [[0.3, 0.7]] * 5)
    labels = torch.tensor([0, 0, 0] + [0] * 5 + [1] * 5)

    assert [doubt.place for doubt in doubted(probabilities, labels)] == [0, 2, 1]


@given(st.integers(0, 1000), st.integers(2, 5))
def test_planted_wrong_labels_are_found_and_hardly_others(seed: int, classes: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    true = torch.arange(60 * classes) % classes
    probabilities = (
        6 * torch.nn.functional.one_hot(true, classes) + torch.randn(len(true), classes, generator=draws)
    ).softmax(1)
    wrong = torch.randperm(len(true), generator=draws)[:6]
    labels = true.clone()
    labels[wrong] = (true[wrong] + 1) % classes

    found = {doubt.place: doubt.suggested for doubt in doubted(probabilities, labels)}

    assert len(set(wrong.tolist()) & set(found)) >= 5
    assert len(found) <= 9
    assert all(found[place] == true[place] for place in set(wrong.tolist()) & set(found))


def test_a_class_without_images_is_never_suggested() -> None:
    probabilities = torch.tensor([[0.1, 0.1, 0.8], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])

    assert doubted(probabilities, torch.tensor([0, 0, 1])) == []
