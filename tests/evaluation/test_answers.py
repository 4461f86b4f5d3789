from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    one_hot,
)
from torch.optim import SGD
from torch.utils.data import TensorDataset

import honshi
from honshi.errors import ModelError
from honshi.evaluation.answers import check_labels, check_loss, classes_of, logits_of, loss_of, loss_to_learn_from
from honshi.evaluation.evaluate import loss_and_accuracy, right_answers

draws = torch.Generator().manual_seed(0)
NUMBERS = torch.randint(3, (50,), generator=draws)
LOGITS = torch.randn(50, 3, generator=draws)
RIGHT = float((LOGITS.argmax(1) == NUMBERS).double().mean())
BITS = torch.randint(2, (50,), generator=draws)
LOGIT = torch.randn(50, generator=draws)
RIGHT_BITS = float(((LOGIT > 0) == BITS).double().mean())


@pytest.mark.parametrize(
    ("logits", "labels", "accuracy"),
    [
        (LOGITS, NUMBERS, RIGHT),
        (LOGITS, NUMBERS[:, None], RIGHT),
        (LOGITS, NUMBERS.float(), RIGHT),
        (LOGITS, NUMBERS[:, None].double(), RIGHT),
        (LOGITS, one_hot(NUMBERS, 3), RIGHT),
        (LOGITS, one_hot(NUMBERS, 3).bool(), RIGHT),
        (LOGITS, NUMBERS.to(torch.uint16), RIGHT),
        (LOGITS, one_hot(NUMBERS, 3) * 0.7 + 0.1, RIGHT),
        (LOGIT[:, None], BITS, RIGHT_BITS),
        (LOGIT[:, None], BITS[:, None].float(), RIGHT_BITS),
        (LOGIT, BITS.bool(), RIGHT_BITS),
        (LOGIT, BITS[:, None], RIGHT_BITS),
        (LOGIT[:, None], BITS * 0.8 + 0.1, RIGHT_BITS),
    ],
    ids=[
        "numbers",
        "a column of numbers",
        "whole floats",
        "a column of floats",
        "one-hot",
        "one-hot booleans",
        "16 bits",
        "probabilities",
        "one output, numbers",
        "one output, a column",
        "no column of outputs, booleans",
        "no column of outputs, a column of labels",
        "one output, smoothed",
    ],
)
def test_these_labels_are_scored_as_what_they_are(logits: Tensor, labels: Tensor, accuracy: float) -> None:
    check_labels(logits, labels)

    answered, true = classes_of(logits, labels)

    assert answered.shape == true.shape == (50,)
    assert float((answered == true).double().mean()) == accuracy


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (LOGITS, torch.rand(50)),
        (LOGITS, NUMBERS + 1),
        (LOGITS, NUMBERS - 1),
        (LOGITS, torch.ones(50, 3)),
        (LOGITS, torch.ones(50, 2)),
        (LOGITS, torch.ones(50, 3, 1)),
        (LOGIT, BITS + 1),
        (LOGIT[:, None], one_hot(BITS, 2)),
        (LOGIT, BITS * 2 - 1),
        (LOGITS, NUMBERS.to(torch.complex64)),
        (LOGITS, torch.full((50,), float("nan"))),
    ],
    ids=[
        "fractions",
        "from 1 to k",
        "below 0",
        "several classes at once",
        "too few columns",
        "a picture of labels",
        "one output, 1 and 2",
        "one output, two columns",
        "one output, -1 and 1",
        "complex",
        "no numbers",
    ],
)
def test_other_labels_are_refused(logits: Tensor, labels: Tensor) -> None:
    def both() -> None:
        check_labels(logits, labels)
        classes_of(logits, labels)

    with pytest.raises(ModelError, match=r"[Ll]abels"):
        both()


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ((LOGITS, 0), "gives a tuple"),
        ({"logits": LOGITS}, "gives a dict"),
        (None, "gives a NoneType"),
        (LOGITS.long(), "int64"),
        (LOGITS[:49], r"\(49, 3\)"),
        (LOGITS.flatten(), r"\(150,\)"),
        (LOGITS[:, :, None, None], r"\(50, 3, 1, 1\)"),
        (LOGITS.mean(), r"\(\)"),
    ],
    ids=["tuple", "dict", "none", "integers", "an image lost", "flat", "pictures", "scalar"],
)
def test_what_is_not_a_row_of_logits_for_each_image_is_refused(outputs: object, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        logits_of(outputs, 50)


@pytest.mark.parametrize(
    ("criterion", "logits", "labels", "said"),
    [
        (nn.CrossEntropyLoss(), LOGITS, NUMBERS.float(), "CrossEntropyLoss does not take"),
        (nn.CrossEntropyLoss(), LOGITS, NUMBERS + 5, "labels go from 5 to 7"),
        (nn.BCEWithLogitsLoss(), LOGIT[:, None], BITS.float(), r"\(50, 1\)"),
        (nn.MSELoss(), LOGIT[:, None], BITS.float(), "differ in shape"),
        (nn.CrossEntropyLoss(reduction="none"), LOGITS, NUMBERS, "one number is needed"),
        (lambda _logits, _labels: 1.0, LOGITS, NUMBERS, "gives a float"),
        (nn.CrossEntropyLoss(), LOGIT[:, None], BITS, "an output for each class"),
        (nn.CrossEntropyLoss(), LOGIT, BITS.float(), "an output for each class"),
    ],
    ids=[
        "float labels",
        "label too large",
        "column missing",
        "squares of shapes that differ",
        "none",
        "a float",
        "a choice among one",
        "a choice among images",
    ],
)
def test_a_loss_that_cannot_be_is_said_in_words(
    criterion: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        loss_of(criterion, logits, labels)


@pytest.mark.parametrize(
    ("loss", "logits", "labels"),
    [
        (cross_entropy(LOGITS, NUMBERS, reduction="sum"), LOGITS, NUMBERS),
        (cross_entropy(LOGITS, NUMBERS, reduction="sum"), LOGITS, NUMBERS[:, None]),
        (cross_entropy(LOGITS, one_hot(NUMBERS, 3).float(), reduction="sum"), LOGITS, one_hot(NUMBERS, 3)),
        (binary_cross_entropy_with_logits(LOGIT, BITS.float(), reduction="sum"), LOGIT, BITS),
        (mse_loss(LOGITS, one_hot(NUMBERS, 3).float(), reduction="sum"), LOGITS, NUMBERS),
    ],
    ids=["numbers", "column", "one-hot", "one output", "squares"],
)
def test_a_sum_over_the_images_is_told_from_a_mean(loss: Tensor, logits: Tensor, labels: Tensor) -> None:
    with pytest.raises(ModelError, match="sum over the 50 images"):
        check_loss(float(loss), logits, labels)
    check_loss(float(loss) / 50, logits, labels)


def test_one_output_that_is_a_probability_already_is_refused() -> None:
    probabilities = LOGIT.sigmoid()

    with pytest.raises(ModelError, match="leave out the sigmoid"):
        check_loss(float(binary_cross_entropy(probabilities, BITS.float())), probabilities, BITS)


def test_so_is_one_that_comes_out_of_a_sigmoid_whatever_the_loss() -> None:
    probabilities = LOGIT[:, None].clone().requires_grad_().sigmoid().squeeze(1)

    with pytest.raises(ModelError, match="leave out the sigmoid"):
        check_loss(0.3, probabilities, BITS)


@pytest.mark.parametrize("measure", [mse_loss, l1_loss])
def test_one_output_that_is_drawn_to_its_label_is_refused(measure: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pytest.raises(ModelError, match="border between the classes is a half"):
        check_loss(float(measure(LOGIT, BITS.float())), LOGIT, BITS)


def test_a_loss_without_a_gradient_is_no_loss_to_learn_from() -> None:
    logits = LOGITS.clone().requires_grad_()

    assert loss_to_learn_from(cross_entropy, logits, NUMBERS).requires_grad
    with pytest.raises(ModelError, match="no gradient"):
        loss_to_learn_from(cross_entropy, logits.detach(), NUMBERS)


# As a whole


def easy(labels: Tensor, classes: int) -> Tensor:
    """Inputs that tell the class."""
    noise = torch.randn(len(labels), classes, generator=torch.Generator().manual_seed(2))
    return noise + 6 * one_hot(labels, classes)


TWO = torch.arange(200) % 2


@pytest.mark.parametrize(
    ("outputs", "criterion", "labels"),
    [
        (1, nn.BCEWithLogitsLoss(), TWO[:, None].float()),
        (1, lambda o, t: binary_cross_entropy_with_logits(o[:, 0], t.float()), TWO),
        (2, lambda o, t: cross_entropy(o, t.squeeze(1)), TWO[:, None]),
        (2, nn.CrossEntropyLoss(), one_hot(TWO, 2) * 0.9 + 0.05),
        (2, nn.BCEWithLogitsLoss(), one_hot(TWO, 2).float()),
    ],
    ids=["one output", "one output, labels (b,)", "labels (b, 1)", "probabilities", "one-hot"],
)
@pytest.mark.parametrize("n", [200, 2], ids=["many", "n = k"])
def test_fit_and_evaluate_tell_the_accuracy_that_is_true(
    outputs: int, criterion: Callable[[Tensor, Tensor], Tensor], labels: Tensor, n: int
) -> None:
    torch.manual_seed(0)
    model, inputs = nn.Linear(2, outputs), easy(TWO, 2)
    train, val = TensorDataset(inputs, labels), TensorDataset(inputs[:n], labels[:n])

    row = honshi.fit(model, criterion, SGD(model.parameters(), lr=1.0), train, val, 5).history[-1]

    logits = model(inputs)
    answered = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)
    true = float((answered == TWO).double()[:n].mean())
    assert row.train_accuracy > 0.95
    assert row.val_accuracy == true
    assert honshi.evaluate(model, val, criterion).accuracy == true
    assert 0 <= honshi.evaluate(model, val).loss < math.log(2)
    assert loss_and_accuracy(model, val, criterion)[1] == true
    assert float(right_answers(model, val).double().mean()) == true


@pytest.mark.parametrize(
    ("criterion", "labels"),
    [
        (nn.CrossEntropyLoss(), torch.rand(200)),
        (nn.MSELoss(), torch.rand(200, 2)),
        (lambda o, t: cross_entropy(o, t.long(), reduction="sum"), TWO),
        (lambda o, t: cross_entropy(o, t.clamp(0, 1)), TWO + 1),
    ],
    ids=["fractions", "several classes at once", "a sum", "from 1 to k"],
)
def test_what_cannot_be_scored_is_refused_before_a_step(
    criterion: Callable[[Tensor, Tensor], Tensor], labels: Tensor
) -> None:
    model = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    data = TensorDataset(easy(TWO, 2), labels)

    with pytest.raises(ModelError):
        honshi.fit(model, criterion, SGD(model.parameters(), lr=1.0), data, data, 1)

    assert torch.equal(model.weight, before)
