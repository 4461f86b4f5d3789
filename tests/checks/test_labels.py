"""Labels that are not plain class numbers: what `honshi.fit` can train with passes, and what it cannot does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot
from torch.utils.data import TensorDataset

import honshi

CLASSES = torch.arange(200) % 2
INPUTS = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)) + 4 * CLASSES[:, None]


@pytest.fixture(autouse=True)
def first_weights() -> None:
    torch.manual_seed(0)


def check(model: nn.Module, labels: Tensor, criterion: Callable[[Tensor, Tensor], Tensor]) -> honshi.Report:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    return honshi.check(model, TensorDataset(INPUTS, labels), criterion=criterion, optimizer=optimizer)


@pytest.mark.parametrize(
    ("outputs", "labels", "criterion"),
    [
        (1, CLASSES[:, None].float(), nn.BCEWithLogitsLoss()),
        (1, CLASSES, lambda logits, labels: binary_cross_entropy_with_logits(logits[:, 0], labels.float())),
        (2, CLASSES[:, None], lambda logits, labels: cross_entropy(logits, labels.squeeze(1))),
        (2, 0.8 * one_hot(CLASSES) + 0.1, nn.CrossEntropyLoss()),
        (2, CLASSES.float(), lambda logits, labels: cross_entropy(logits, labels.long())),
    ],
)
def test_labels_that_the_loss_takes_pass_and_can_be_trained_with(
    outputs: int, labels: Tensor, criterion: Callable[[Tensor, Tensor], Tensor]
) -> None:
    model = nn.Linear(4, outputs)

    report = check(model, labels, criterion)

    assert [finding for finding in report.findings if finding.level == "fail"] == []
    data, optimizer = TensorDataset(INPUTS, labels), torch.optim.SGD(model.parameters(), lr=0.3)
    history = honshi.fit(model, criterion, optimizer, data, data, epochs=10).history
    assert history[-1].val_accuracy > 0.95


def test_one_output_without_a_dimension_of_its_own_passes() -> None:
    report = check(nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), CLASSES.float(), nn.BCEWithLogitsLoss())

    assert [finding for finding in report.findings if finding.level == "fail"] == []


@pytest.mark.parametrize(
    ("model", "labels", "criterion", "name", "told"),
    [
        (nn.Linear(4, 1), CLASSES.float(), nn.BCEWithLogitsLoss(), "loss", "Target size"),
        (nn.Linear(4, 1), torch.arange(200) % 3, nn.CrossEntropyLoss(), "outputs", "an output for each class"),
        (
            nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()),
            CLASSES[:, None].float(),
            nn.BCELoss(),
            "loss",
            "leave out the sigmoid",
        ),
        (nn.Linear(4, 2), CLASSES, nn.CrossEntropyLoss(reduction="sum"), "loss", "the sum over the 200 images"),
        (nn.Linear(4, 2), CLASSES[:, None], nn.CrossEntropyLoss(), "labels", "labels.squeeze(1)"),
        (nn.Linear(4, 2), CLASSES.float(), nn.CrossEntropyLoss(), "labels", "labels.long()"),
    ],
)
def test_labels_that_do_not_go_with_model_and_loss_fail(
    model: nn.Module, labels: Tensor, criterion: nn.Module, name: str, told: str
) -> None:
    report = check(model, labels, criterion)

    sentences = [finding.sentence for finding in report.findings if (finding.check, finding.level) == (name, "fail")]
    assert len(sentences) == 1, str(report)
    assert told in sentences[0]
