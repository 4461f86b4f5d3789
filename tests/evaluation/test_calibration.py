from __future__ import annotations

import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from honshi.evaluation.calibration import BINS, fit_temperature, reliability


def answers(scale: float, n: int = 3000, classes: int = 5) -> tuple[Tensor, Tensor]:
    """Logits of a calibrated model, multiplied by ``scale``, with labels drawn from its probabilities."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(n, classes, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).flatten()
    return logits * scale, labels


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_scale(scale: float) -> None:
    assert fit_temperature(*answers(scale)) == pytest.approx(scale, rel=0.08)


def test_the_temperature_is_where_a_library_finds_the_lowest_loss() -> None:
    logits, labels = answers(2.0)

    def loss(temperature: float) -> float:
        return float(log_loss(labels, (logits.double() / temperature).softmax(1), labels=range(5)))

    reference = minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-6})
    assert fit_temperature(logits, labels) == pytest.approx(reference.x, rel=1e-3)


def test_where_all_is_right_the_data_do_not_say() -> None:
    labels = torch.arange(5)

    assert fit_temperature(torch.eye(5), labels) == 1.0
    assert fit_temperature(-torch.eye(5), labels) == 1.0


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_calibration_error_is_that_of_torchmetrics(scale: float) -> None:
    logits, labels = answers(scale)

    expected = multiclass_calibration_error(logits.double().softmax(1), labels, num_classes=5, n_bins=BINS, norm="l1")
    # torchmetrics adds up in single precision.
    assert reliability(logits, labels).error == pytest.approx(float(expected), abs=1e-5)


def test_the_temperature_makes_the_error_smaller() -> None:
    logits, labels = answers(3.0)

    before = reliability(logits, labels).error
    after = reliability(logits, labels, fit_temperature(logits, labels)).error
    assert after < before / 3


def test_every_prediction_is_in_one_bin() -> None:
    logits, labels = answers(1.0)

    assert sum(reliability(logits, labels).counts) == len(labels)
