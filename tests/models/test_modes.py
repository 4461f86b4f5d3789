from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

import honshi
from honshi.errors import ModelError
from honshi.models.modes import being_trained, evaluating
from honshi.prediction import predict_pixels


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 3))


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


@pytest.fixture
def many_switches() -> Iterator[None]:
    """Threads that take turns after a few operations each."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_inside_everything_is_in_eval_mode_and_without_gradients() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())

    with evaluating(model) as asked:
        assert asked is model
        assert not any(modes(model))
        assert not torch.is_grad_enabled()


def test_afterwards_a_frozen_layer_is_still_frozen() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model[1].eval()

    with evaluating(model):
        pass

    assert modes(model) == [True, True, False]


def test_whatever_is_done_to_the_modes_inside_afterwards_they_are_what_they_were() -> None:
    model = network()
    model[1].eval()
    before = modes(model)

    with evaluating(model):
        model.train()

    assert modes(model) == before


def test_an_error_inside_restores_the_modes_too() -> None:
    model = nn.Dropout()

    with pytest.raises(RuntimeError), evaluating(model):
        raise RuntimeError

    assert model.training


def test_the_outer_of_two_stays_in_eval_mode() -> None:
    model = network()

    with evaluating(model):
        with evaluating(model):
            pass
        assert not any(modes(model))
    assert all(modes(model))


def test_so_does_a_model_of_which_a_part_is_evaluated_inside() -> None:
    model = network()

    with evaluating(model[1]):
        with evaluating(model):
            pass
        assert modes(model) == [True, True, False, True, True]
    assert all(modes(model))


def test_a_models_own_eval_is_called() -> None:
    class Folding(nn.Linear):
        folded = False

        def train(self, mode: bool = True) -> Folding:
            self.folded = not mode
            return super().train(mode)

    model = Folding(2, 2)

    with evaluating(model):
        assert model.folded


def test_the_first_of_two_threads_leaves_the_mode_to_the_second() -> None:
    model = network()
    entered, leave = threading.Event(), threading.Event()

    def evaluate() -> None:
        with evaluating(model):
            entered.set()
            leave.wait()

    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(evaluate)
        entered.wait()
        with evaluating(model):
            pass
        between = modes(model)
        leave.set()
        waiting.result()

    assert not any(between)
    assert all(modes(model))


@pytest.mark.usefixtures("many_switches")
def test_many_threads_get_the_right_scores_of_a_model_in_training_mode(mnist: honshi.Splits) -> None:
    images = mnist.val.subset(range(32))
    torch.manual_seed(0)
    model = honshi.models.MLP(784, (16,), 10, dropout=0.5, batch_norm=True).train()
    expected, before = honshi.evaluate(model, images).loss, copy.deepcopy(model.state_dict())

    with ThreadPoolExecutor(8) as pool:
        losses = list(pool.map(lambda _: honshi.evaluate(model, images).loss, range(100)))

    assert losses == pytest.approx([expected] * 100)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(modes(model))


@pytest.mark.usefixtures("many_switches")
def test_many_threads_get_the_right_answers_of_a_convolutional_network(mnist: honshi.Splits) -> None:
    torch.manual_seed(0)
    model = honshi.models.CNN(1, (8, 16), 10).train()
    model.preprocessing = mnist.train.preprocessing  # type: ignore[assignment]
    pixels = mnist.val.pixels[:4]
    expected = predict_pixels(model, pixels).probabilities

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: predict_pixels(model, pixels).probabilities, range(200)))

    for probabilities in found:
        torch.testing.assert_close(probabilities, expected)


@pytest.mark.usefixtures("many_switches")
def test_a_model_that_is_scored_while_it_is_trained_learns_what_it_learns_alone(mnist: honshi.Splits) -> None:
    images = mnist.train.subset(range(200))

    def train(model: nn.Module) -> list[float]:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        result = honshi.fit(model, nn.CrossEntropyLoss(), optimizer, images, images, 3, batch_size=20)
        return [row.train_loss for row in result.history]

    torch.manual_seed(0)
    alone = honshi.models.MLP(784, (16,), 10, dropout=0.5, batch_norm=True)
    scored = copy.deepcopy(alone)
    over = threading.Event()
    losses: list[float] = []

    def score() -> None:
        while not over.is_set():
            losses.append(honshi.evaluate(scored, images).loss)

    with ThreadPoolExecutor(2) as pool:
        scoring = [pool.submit(score) for _ in range(2)]
        found = train(scored)
        over.set()
        for one in scoring:
            one.result()

    assert found == train(alone)
    assert losses
    assert modes(scored) == modes(alone)
    for one, other in zip(scored.state_dict().values(), alone.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_the_thread_that_trains_a_model_may_score_it_itself() -> None:
    model = network()

    with being_trained(model):
        with evaluating(model) as asked:
            assert asked is model
        assert all(modes(model))


def test_another_thread_scores_a_copy_meanwhile() -> None:
    model = network()

    def ask() -> tuple[bool, list[bool]]:
        with evaluating(model) as asked:
            return asked is model, modes(asked)

    with being_trained(model), ThreadPoolExecutor(1) as other:
        same, within = other.submit(ask).result()
        assert all(modes(model))

    assert not same
    assert not any(within)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(ask).result()[0]


def test_the_mode_in_which_a_training_leaves_a_model_stays_where_an_evaluation_outlasts_it() -> None:
    model = network()

    with evaluating(model):
        with being_trained(model):
            model.train()
        model.eval()

    assert not any(modes(model))


class Uncopyable(nn.Linear):
    def __deepcopy__(self, memo: dict[int, object]) -> Uncopyable:
        raise TypeError("no copies")

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


def test_a_model_that_cannot_be_copied_is_not_scored_while_another_thread_trains_it() -> None:
    model = Uncopyable(2, 2)

    def ask() -> None:
        with evaluating(model):
            pass

    with being_trained(model), ThreadPoolExecutor(1) as other, pytest.raises(ModelError, match="no copies"):
        other.submit(ask).result()


def test_a_model_that_another_thread_trains_is_not_trained() -> None:
    model = network()

    with being_trained(model), ThreadPoolExecutor(1) as pool:

        def train() -> None:
            with being_trained(model):
                pass

        with pytest.raises(ModelError, match="trained by another thread already"):
            pool.submit(train).result()
