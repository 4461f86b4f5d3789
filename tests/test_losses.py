from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import log_loss
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, one_hot

from honshi import losses
from honshi.errors import RecipeError
from honshi.losses import CrossEntropy
from honshi.recipe import CrossEntropyOptions

K = 5


def answers(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits and labels of n images as if from a poor model."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, K, generator=generator) * 3, torch.randint(K, (n,), generator=generator)


def probabilities(logits: Tensor) -> NDArray[np.float64]:
    return logits.double().softmax(1).numpy()


@settings(max_examples=30)
@given(n=st.integers(1, 200), seed=st.integers(0, 1000))
def test_it_is_the_log_loss_of_scikit_learn(n: int, seed: int) -> None:
    logits, labels = answers(n, seed)

    expected = log_loss(labels.numpy(), probabilities(logits), labels=range(K))

    assert CrossEntropy()(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_class_weights_are_sample_weights_of_scikit_learn() -> None:
    logits, labels = answers(300)
    counts = torch.bincount(labels, minlength=K).tolist()
    given_weights = (0.5, 1.0, 2.0, 4.0, 0.0)
    criterion = losses.build(CrossEntropyOptions(class_weights=given_weights), counts)

    expected = log_loss(
        labels.numpy(),
        probabilities(logits),
        labels=range(K),
        sample_weight=np.array(given_weights)[labels.numpy()],
    )

    assert criterion(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_is_torchs_own() -> None:
    logits, labels = answers(50)

    smoothed = CrossEntropy(label_smoothing=0.1)(logits, labels)

    torch.testing.assert_close(smoothed, cross_entropy(logits, labels, label_smoothing=0.1))


def test_label_smoothing_spreads_the_probability_over_all_classes() -> None:
    logits, labels = answers(50)
    targets = 0.8 * one_hot(labels, K) + 0.2 / K

    smoothed = CrossEntropy(label_smoothing=0.2)(logits, labels)

    torch.testing.assert_close(smoothed, -(targets * log_softmax(logits, 1)).sum(1).mean())


@settings(max_examples=50)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    weighted=st.booleans(),
    label_smoothing=st.sampled_from([0.0, 0.1]),
)
def test_the_mean_over_batches_weighed_by_size_is_the_mean_over_everything(
    sizes: list[int], weighted: bool, label_smoothing: float
) -> None:
    logits, labels = answers(sum(sizes))
    criterion = CrossEntropy(torch.tensor([0.1, 5.0, 1.0, 2.0, 0.0]) if weighted else None, label_smoothing)

    of_batches = [
        criterion(some_logits, some_labels).item() * len(some_labels)
        for some_logits, some_labels in zip(logits.split(sizes), labels.split(sizes), strict=True)
    ]

    assert sum(of_batches) / sum(sizes) == pytest.approx(criterion(logits, labels).item(), rel=1e-4)


def test_balanced_gives_each_class_the_same_say() -> None:
    counts = [10, 20, 70]

    criterion = losses.build(CrossEntropyOptions(class_weights="balanced"), counts)

    assert criterion.weight is not None
    torch.testing.assert_close(criterion.weight * torch.tensor(counts), torch.full((3,), 100 / 3))


def test_balanced_leaves_out_a_class_without_images() -> None:
    criterion = losses.build(CrossEntropyOptions(class_weights="balanced"), [10, 0, 10])

    assert criterion.weight is not None
    assert criterion.weight.tolist() == [1.0, 0.0, 1.0]


def test_balanced_changes_nothing_where_the_classes_are_equally_frequent() -> None:
    logits, labels = answers(40)

    balanced = losses.build(CrossEntropyOptions(class_weights="balanced"), [8] * K)

    torch.testing.assert_close(balanced(logits, labels), CrossEntropy()(logits, labels))


@settings(max_examples=30)
@given(factor=st.floats(0.01, 100))
def test_only_the_proportions_of_class_weights_matter(factor: float) -> None:
    logits, labels = answers(40)
    plain = losses.build(CrossEntropyOptions(class_weights=(1.0, 2.0, 3.0, 4.0, 5.0)), [8] * K)
    scaled_weights = tuple(factor * weight for weight in (1.0, 2.0, 3.0, 4.0, 5.0))

    scaled = losses.build(CrossEntropyOptions(class_weights=scaled_weights), [8] * K)

    torch.testing.assert_close(scaled(logits, labels), plain(logits, labels))


def test_a_recipe_without_class_weights_builds_the_plain_loss() -> None:
    criterion = losses.build(CrossEntropyOptions(label_smoothing=0.1), [1, 2, 3])

    assert criterion.weight is None
    assert criterion.label_smoothing == 0.1


def test_weights_for_another_number_of_classes_are_refused() -> None:
    with pytest.raises(RecipeError, match="2 weights and the data 3 classes"):
        losses.build(CrossEntropyOptions(class_weights=(1.0, 2.0)), [5, 5, 5])


def test_weights_under_which_nothing_would_be_learnt_are_refused() -> None:
    with pytest.raises(RecipeError, match="nothing would be learnt"):
        losses.build(CrossEntropyOptions(class_weights=(0.0, 0.0, 1.0)), [5, 5, 0])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 2.0, 4.0, 0.0)], ids=["no weights", "weights"])
def test_probabilities_in_place_of_labels_weigh_the_losses_of_their_classes(
    smoothing: float, weights: tuple[float, ...] | None
) -> None:
    logits, labels = answers(60)
    criterion = losses.build(CrossEntropyOptions(class_weights=weights, label_smoothing=smoothing), [20] * K)
    others = labels.roll(1)
    mixed = 0.7 * one_hot(labels, K) + 0.3 * one_hot(others, K)

    expected = 0.7 * criterion(logits, labels) + 0.3 * criterion(logits, others)

    torch.testing.assert_close(criterion(logits, mixed), expected)


@pytest.mark.parametrize(
    "options",
    [
        CrossEntropyOptions(),
        CrossEntropyOptions(label_smoothing=0.1),
        CrossEntropyOptions(class_weights="balanced"),
        CrossEntropyOptions(class_weights=(1.0, 2.0, 5.0), label_smoothing=0.1),
    ],
)
def test_the_loss_of_guessing_is_that_of_the_best_constant_answer(options: CrossEntropyOptions) -> None:
    labels = torch.tensor([0] * 6 + [1] * 3 + [2])
    criterion = losses.build(options, [6, 3, 1])
    answer = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.SGD([answer], lr=0.5)
    for _ in range(500):
        optimizer.zero_grad()
        loss = criterion(answer.expand(10, 3), labels)
        loss.backward()
        optimizer.step()

    assert losses.guessing_loss(options, [6, 3, 1]) == pytest.approx(loss.item(), abs=1e-4)


@pytest.mark.parametrize("class_weights", [None, (1.0, 2.0, 5.0, 1.0)])
def test_the_floor_is_the_loss_of_the_smoothed_labels_themselves(class_weights: tuple[float, ...] | None) -> None:
    options = CrossEntropyOptions(label_smoothing=0.1, class_weights=class_weights)
    criterion = losses.build(options, [1, 1, 1, 1])
    labels = torch.arange(4)
    weight = torch.tensor(class_weights or (1.0, 1.0, 1.0, 1.0))
    targets = (0.9 * one_hot(labels, 4) + 0.025) * weight

    best = criterion(targets.log(), labels).item()

    assert losses.floor(options, [1, 1, 1, 1]) == pytest.approx(best, abs=1e-6)


def test_without_smoothing_the_floor_is_0() -> None:
    assert losses.floor(CrossEntropyOptions(class_weights="balanced"), [3, 2, 1]) == pytest.approx(0, abs=1e-12)
