from __future__ import annotations

import torch
from torch import Tensor, nn

import honshi
from honshi.checks.devices import check_device
from honshi.checks.draw import draw
from honshi.checks.subject import Subject


def subject_of(model: nn.Module) -> Subject:
    return Subject(model, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1))


def test_the_same_steps_give_the_same_losses_with_dropout_too(mnist: honshi.Splits) -> None:
    finding = check_device(subject_of(honshi.models.MLP(dropout=0.5)), draw(mnist.train.subset(range(500))))

    assert finding.level == "pass"
    assert "20 steps" in finding.sentence


def test_other_losses_are_told_with_the_step(mnist: honshi.Splits) -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(784, 10)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.layer(x.flatten(1))
            return logits + torch.randn_like(logits)

    finding = check_device(subject_of(Noisy()), draw(mnist.train.subset(range(500))))

    assert finding.level == "fail"
    assert "the loss of step" in finding.sentence
