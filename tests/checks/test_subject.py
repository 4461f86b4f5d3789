from __future__ import annotations

import pytest
import torch
from torch import nn

from honshi.checks.subject import Subject, leaves_of, peak_lr, set_lr, without_dropout


def test_the_copy_of_the_optimizer_moves_the_copy_of_the_model() -> None:
    model = nn.Linear(3, 2)
    subject = Subject(model, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=1.0))
    before = model.weight.clone()

    work = subject.copy()
    work.criterion(work.model(torch.ones(1, 3)), torch.tensor([0])).backward()
    work.optimizer.step()

    assert torch.equal(model.weight, before)
    assert not torch.equal(next(work.model.parameters()), before)
    assert model.weight.grad is None


@pytest.mark.parametrize("shared", [False, True])
def test_groups_keep_the_proportions_of_their_rates(shared: bool) -> None:
    weights = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    rates = [torch.tensor(0.1)] * 2 if shared else [0.1, 0.2]
    optimizer = torch.optim.SGD([{"params": [w], "lr": lr} for w, lr in zip(weights, rates, strict=True)], lr=1.0)

    set_lr(optimizer, 0.5)

    assert [float(group["lr"]) for group in optimizer.param_groups] == pytest.approx([0.5, 0.5 if shared else 1.0])
    assert peak_lr(optimizer) == 0.5


def test_the_rate_of_a_schedule_is_the_one_that_it_rises_to() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.001)

    assert peak_lr(optimizer) == 0.1


def test_dropout_is_taken_out_of_every_layer() -> None:
    model = without_dropout(nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout2d(0.3))))

    assert torch.equal(model(torch.ones(1, 2, 4, 4)), torch.ones(1, 2, 4, 4))


def test_the_leaves_of_a_loss_are_its_weights_wherever_they_are_kept() -> None:
    kept, unused = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)

    leaves = list(leaves_of((kept * torch.ones(2)).relu().sum()))

    assert len(leaves) == 1
    assert leaves[0] is kept
    assert unused is not kept
