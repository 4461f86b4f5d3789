from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.drawn import colours
from torch import nn

import honshi
from honshi.checks.draw import draw
from honshi.checks.lr_range import LRRange, check_lr_range, measure_lr_range
from honshi.checks.subject import Subject
from honshi.reports.curves import PARTS
from honshi.reports.curves import VALIDATION as SUGGESTION

LOSS = PARTS[0][2]


def measured(mnist: honshi.Splits, lr: float, optimizer: type[torch.optim.Optimizer] = torch.optim.SGD) -> LRRange:
    torch.manual_seed(0)
    model = honshi.models.MLP()
    made = optimizer(model.parameters(), lr=lr)  # type: ignore[call-arg]
    return measure_lr_range(Subject(model, nn.CrossEntropyLoss(), made), draw(mnist.train.subset(range(4000))), 64)


def test_the_suggestion_suits_the_optimizer(mnist: honshi.Splits) -> None:
    sgd, adam = measured(mnist, 0.1).suggestion, measured(mnist, 0.001, torch.optim.Adam).suggestion

    assert sgd is not None
    assert adam is not None
    assert 0.02 <= sgd <= 0.3
    assert 0.0005 <= adam <= 0.01


def test_the_suggestion_does_not_depend_on_the_rate_that_is_set(mnist: honshi.Splits) -> None:
    first, second = measured(mnist, 0.1), measured(mnist, 0.001)

    assert first.losses == second.losses
    assert (first.lr, second.lr) == (0.1, 0.001)


@pytest.mark.parametrize(("lr", "level"), [(0.1, "pass"), (0.0001, "warn"), (100.0, "warn")])
def test_a_rate_is_judged_by_where_it_lies(lr: float, level: str) -> None:
    found = LRRange((0.001, 0.01), (2.3, 1.0), lr, suggestion=0.1, bursts_at=2.0)

    assert check_lr_range(found, learnt=False).level == level
    assert check_lr_range(found, learnt=True).level == "pass"


def test_a_loss_that_never_falls_gives_no_suggestion() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :10] + 0 * self.weight

    model = Constant()
    data = torch.utils.data.TensorDataset(torch.randn(100, 1, 28, 28), torch.arange(100) % 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    found = measure_lr_range(Subject(model, nn.CrossEntropyLoss(), optimizer), draw(data), 100)

    assert found.suggestion is None
    assert check_lr_range(found, learnt=False).level == "warn"


def test_a_model_that_dies_at_a_large_rate_has_burst(mnist: honshi.Splits) -> None:
    bursts_at = measured(mnist, 0.1).bursts_at

    assert bursts_at is not None
    assert 0.1 < bursts_at < 10


def test_it_is_drawn(tmp_path: Path) -> None:
    LRRange((0.001, 0.01), (2.3, 1.0), 0.1, 0.1, None).plot(tmp_path / "range.png")

    assert {LOSS, SUGGESTION} <= colours(tmp_path / "range.png")
