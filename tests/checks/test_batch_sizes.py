from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import honshi
from honshi.checks.batch_sizes import BatchSize, check_batch_sizes, measure_batch_sizes, noise_scale
from honshi.checks.draw import draw
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject


@pytest.fixture(scope="module")
def rows(mnist: honshi.Splits) -> tuple[BatchSize, ...]:
    torch.manual_seed(0)
    model = honshi.models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return measure_batch_sizes(Subject(model, nn.CrossEntropyLoss(), optimizer), draw(mnist.train), 64)


def test_the_sizes_of_the_lecture_are_measured(rows: tuple[BatchSize, ...]) -> None:
    assert [row.batch_size for row in rows] == [4, 16, 64, 256, 1024]
    assert all(row.microseconds > 0 for row in rows)


def test_noise_falls_with_the_batch_size_as_theory_says(rows: tuple[BatchSize, ...]) -> None:
    scales = [row.batch_size * row.noise for row in rows]

    assert max(scales) < 2 * min(scales)


def test_a_larger_batch_costs_less_for_each_image_and_more_memory(rows: tuple[BatchSize, ...]) -> None:
    assert rows[0].microseconds > 2 * rows[3].microseconds
    assert rows[4].megabytes == pytest.approx(4 * rows[3].megabytes, rel=0.1)


def test_the_memory_is_what_the_backward_pass_needs() -> None:
    # A linear layer keeps its inputs, and cross-entropy its log-probabilities and the labels.
    model = nn.Linear(100, 10)
    data = TensorDataset(torch.randn(64, 100), torch.arange(64) % 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    rows = measure_batch_sizes(Subject(model, nn.CrossEntropyLoss(), optimizer), draw(data), 16)

    kept = 16 * (100 * 4 + 10 * 4 + 8)
    assert rows[1].batch_size == 16
    assert kept / 1e6 <= rows[1].megabytes < 1.3 * kept / 1e6


def test_the_noise_scale_is_the_one_that_the_gradients_have() -> None:
    # The loss is w · x with x = 1 ± 3: a gradient of mean 1 and variance 9 an image, so a scale of 9.
    class Weight(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.weight * x

    model = Weight()
    torch.manual_seed(0)
    x = 1 + 3 * torch.randn(4096, 1)
    subject = Subject(model, lambda outputs, _: outputs.mean(), torch.optim.SGD(model.parameters(), lr=0.1))

    rows = measure_batch_sizes(subject, draw_all(x), 64)

    assert noise_scale(rows) == pytest.approx(9, rel=0.4)


def draw_all(x: torch.Tensor) -> Sample:
    labels = torch.zeros(len(x), dtype=torch.int64)
    return Sample(x, labels, labels, constant=0)


def test_a_training_that_diverges_is_not_measured() -> None:
    model = nn.Linear(100, 10)
    data = TensorDataset(torch.randn(64, 100), torch.arange(64) % 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e30)
    subject = Subject(model, lambda logits, _: (logits**4).sum(), optimizer)

    rows = measure_batch_sizes(subject, draw(data), 16)

    assert rows == ()
    assert check_batch_sizes(rows, 16).level == "skip"
