from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from honshi.models import CNN, MLP, Ensemble
from honshi.models.ensemble import log_mean_probability


@pytest.fixture
def ensemble() -> Ensemble:
    torch.manual_seed(0)
    return Ensemble([MLP(12, (5,), 3) for _ in range(3)])


def test_in_eval_mode_it_answers_by_the_mean_of_its_members_probabilities(ensemble: Ensemble) -> None:
    images = torch.randn(7, 1, 3, 4)

    found = ensemble.eval()(images).softmax(1)

    expected = torch.stack([member(images).softmax(1) for member in ensemble.members]).mean(0)
    torch.testing.assert_close(found, expected)


def test_its_answer_is_a_logarithm_of_probabilities(ensemble: Ensemble) -> None:
    answer = ensemble.eval()(torch.randn(7, 12))

    torch.testing.assert_close(answer.exp().sum(1), torch.ones(7))


def test_in_training_each_member_answers_its_own_share_in_the_order_of_the_images(ensemble: Ensemble) -> None:
    images = torch.randn(8, 12)

    logits = ensemble.train()(images)

    shares = [ensemble.members[0](images[:3]), ensemble.members[1](images[3:6]), ensemble.members[2](images[6:])]
    torch.testing.assert_close(logits, torch.cat(shares))


def test_a_step_is_for_each_member_the_step_on_its_share_alone(ensemble: Ensemble) -> None:
    images, labels = torch.randn(9, 12), torch.randint(3, (9,))
    alone = copy.deepcopy(ensemble.members[1])

    nn.functional.cross_entropy(ensemble.train()(images), labels, reduction="sum").backward()
    nn.functional.cross_entropy(alone(images[3:6]), labels[3:6], reduction="sum").backward()

    for one, other in zip(ensemble.members[1].parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7])
def test_no_member_gets_a_share_that_batch_norm_cannot_normalise(count: int) -> None:
    ensemble = Ensemble([MLP(12, (5,), 3, batch_norm=True) for _ in range(3)])

    assert ensemble.train()(torch.randn(count, 12)).shape == (count, 3)


def test_a_single_image_is_learnt_by_the_first_member(ensemble: Ensemble) -> None:
    image = torch.randn(1, 12)

    torch.testing.assert_close(ensemble.train()(image), ensemble.members[0](image))


def test_members_may_be_convolutional() -> None:
    ensemble = Ensemble([CNN(1, (4,), 3), CNN(1, (8,), 3)])

    assert ensemble.train()(torch.randn(6, 1, 8, 8)).shape == (6, 3)
    assert ensemble.eval()(torch.randn(6, 1, 8, 8)).shape == (6, 3)


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
def test_the_mean_of_sure_answers_is_finite(scale: float) -> None:
    sure: list[Tensor] = [torch.eye(4) * scale, torch.eye(4).flip(0) * scale]

    answer = log_mean_probability(sure)

    assert answer.isfinite().all()
    torch.testing.assert_close(
        answer.double().exp(), torch.stack(sure).double().softmax(-1).mean(0), rtol=1e-5, atol=1e-7
    )


def test_answers_of_16_bits_are_averaged_in_32() -> None:
    answer = log_mean_probability([torch.randn(5, 10).bfloat16() for _ in range(3)])

    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer.exp().sum(1), torch.ones(5))


def test_of_one_output_it_answers_by_the_mean_of_the_probabilities_too() -> None:
    logits = [torch.randn(5, 1, generator=torch.Generator().manual_seed(n)) for n in range(3)]

    answer = log_mean_probability(logits)

    torch.testing.assert_close(answer.sigmoid(), torch.stack([logit.sigmoid() for logit in logits]).mean(0))
