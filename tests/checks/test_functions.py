from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import honshi
from honshi.checks.arguments import arguments_for
from honshi.checks.draw import draw
from honshi.checks.functions import check_evaluate_function, check_train_function
from honshi.checks.subject import Subject
from honshi.errors import RequestError

PARTS = {"model": "m", "loader": "l", "criterion": "c", "optimizer": "o", "device": "d", "epochs": 1}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda model, loader, criterion, optimizer, device: 0, "mlcod"),
        (lambda net, train_loader, loss_fn, opt, dev: 0, "mlcod"),
        (lambda optimizer, model, dataloader, loss: 0, "omlc"),
        (lambda model, train_dl, valid_dl, criterion, optimizer: 0, "mllco"),
        (lambda m, b, f, o, d: 0, "mlcod"),
        (lambda m, b, f, d: 0, "mlcd"),
        (lambda model, loader, criterion, optimizer, log_every=10, *more, **options: 0, "mlco"),
    ],
)
def test_arguments_go_by_name_and_then_by_the_order_of_the_lecture(function: Callable[..., Any], expected: str) -> None:
    assert "".join(arguments_for(function, PARTS).values()) == expected


def test_epochs_are_given_where_they_have_no_default() -> None:
    assert arguments_for(lambda model, epochs: 0, PARTS) == {"model": "m", "epochs": 1}
    assert arguments_for(lambda model, epochs=5: 0, PARTS) == {"model": "m"}


def test_an_argument_that_nobody_knows_is_asked_about(mnist: honshi.Splits) -> None:
    def train(
        model: nn.Module, loader: object, criterion: object, optimizer: object, device: object, ema: object
    ) -> None:
        pass

    with pytest.raises(RequestError, match=r"train\(\) asks for 'ema'"):
        honshi.check(honshi.models.MLP(hidden=(16,)), mnist.train.subset(range(300)), train=train)


@pytest.fixture
def subject() -> Subject:
    model = honshi.models.MLP(hidden=(16,), dropout=0.5)
    return Subject(model, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1))


def test_the_callers_model_and_optimizer_are_not_the_ones_that_are_trained(
    subject: Subject, mnist: honshi.Splits
) -> None:
    seen = []

    def train(model: nn.Module, loader: Any, criterion: Any, optimizer: Any, device: Any) -> None:
        seen.append((model, optimizer))
        model.train()
        for inputs, labels in loader:
            optimizer.zero_grad()
            criterion(model(inputs), labels).backward()
            optimizer.step()

    weights = [parameter.clone() for parameter in subject.model.parameters()]

    findings = check_train_function(train, subject, draw(mnist.train.subset(range(200))))

    assert [finding.level for finding in findings] == ["pass"]
    assert all(model is not subject.model and optimizer is not subject.optimizer for model, optimizer in seen)
    assert all(torch.equal(old, new) for old, new in zip(weights, subject.model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in subject.model.parameters())


def test_a_model_without_dropout_makes_a_missing_eval_a_warning(mnist: honshi.Splits) -> None:
    model = honshi.models.MLP(hidden=(16,))
    subject = Subject(model, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1))

    def evaluate(model: nn.Module, loader: Any) -> None:
        with torch.no_grad():
            for inputs, _ in loader:
                model(inputs)

    findings = check_evaluate_function(evaluate, subject, draw(mnist.train.subset(range(200))))

    assert [finding.level for finding in findings] == ["warn"]


def test_weights_changed_by_hand_are_told_from_weights_that_do_not_change(
    subject: Subject, mnist: honshi.Splits
) -> None:
    def train(model: nn.Module, loader: Any, criterion: Any) -> None:
        model.train()
        for inputs, labels in loader:
            criterion(model(inputs), labels).backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter.sub_(0.1 * parameter.grad)
                    parameter.grad = None

    findings = check_train_function(train, subject, draw(mnist.train.subset(range(200))))

    assert [finding.level for finding in findings] == ["warn"]
    assert "without the optimizer" in findings[0].sentence
