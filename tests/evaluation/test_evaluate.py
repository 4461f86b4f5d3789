from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import honshi
from honshi.errors import ModelError, SealedError
from honshi.evaluation.evaluate import infer, loss_and_accuracy
from honshi.models import CNN, MLP
from honshi.native.kernels import Kernels


@pytest.fixture
def images(mnist: honshi.Splits) -> honshi.Images:
    return mnist.val.subset(range(230))


@pytest.fixture
def model() -> MLP:
    torch.manual_seed(0)
    return MLP(hidden=(16,), dropout=0.5)


def as_tensors(images: honshi.Images) -> tuple[Tensor, Tensor]:
    return images.normalization(images.pixels), images.labels


def counted(conv_pool: Callable[..., Any], seen: list[int]) -> Callable[..., Any]:
    """The same, and of how many images it is, is noted."""

    def noted(kernels: Kernels, images: Tensor, *others: Any, **named: Any) -> Any:
        seen.append(len(images))
        return conv_pool(kernels, images, *others, **named)

    return noted


class ThreeWay(nn.Module):
    """Takes any image for class 0, and class 1 to be half as likely."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor([2.0, 1.0, 0.0]).log1p().expand(len(images), 3)


def test_it_scores_as_scikit_learn_does(model: MLP, images: honshi.Images) -> None:
    inputs, labels = as_tensors(images)
    with torch.no_grad():
        probabilities = model.eval()(inputs).double().softmax(1).numpy()

    score = honshi.evaluate(model, images)

    assert score.n == 230
    assert score.accuracy == accuracy_score(labels.numpy(), probabilities.argmax(1))
    assert score.loss == pytest.approx(log_loss(labels.numpy(), probabilities, labels=range(10)), rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 230, 1000])
def test_inference_is_a_plain_loop_whatever_the_batch_size(model: MLP, images: honshi.Images, batch_size: int) -> None:
    model.eval()
    expected = torch.cat([model(image.unsqueeze(0)) for image in as_tensors(images)[0]])

    logits, labels = infer(model, images, batch_size)

    torch.testing.assert_close(logits, expected)
    assert torch.equal(labels, images.labels)


def test_the_layers_of_a_convnet_are_computed_in_c(images: honshi.Images, monkeypatch: pytest.MonkeyPatch) -> None:
    model = CNN().eval()
    inputs, _ = as_tensors(images)
    expected = model(inputs)
    seen: list[int] = []
    monkeypatch.setattr(Kernels, "conv_pool", counted(Kernels.conv_pool, seen))

    logits, _ = infer(model, images)

    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert seen == [230]


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_the_score_does_not_depend_on_how_a_loader_divides_the_images(
    model: MLP, images: honshi.Images, batch_size: int
) -> None:
    expected = honshi.evaluate(model, images)

    score = honshi.evaluate(model, DataLoader(images, batch_size))

    assert score.loss == pytest.approx(expected.loss, rel=1e-5)
    assert score.confusion == expected.confusion


def test_a_dataset_of_torch_is_scored_like_images(model: MLP, images: honshi.Images) -> None:
    score = honshi.evaluate(model, TensorDataset(*as_tensors(images)))

    assert score == honshi.evaluate(model, images)


def test_classes_go_by_the_names_that_the_images_have(images: honshi.Images) -> None:
    some = honshi.Images(pixels=images.pixels[:4], labels=torch.tensor([0, 0, 1, 2]), classes=("cat", "dog", "emu"))

    score = honshi.evaluate(ThreeWay(), some)

    assert {name: (of_class.n, of_class.recall) for name, of_class in score.per_class.items()} == {
        "cat": (2, 1.0),
        "dog": (1, 0.0),
        "emu": (1, 0.0),
    }
    assert score.confusion == [[2, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert score.accuracy == 0.5


def test_classes_without_names_go_by_their_numbers() -> None:
    score = honshi.evaluate(ThreeWay(), TensorDataset(torch.zeros(2, 1), torch.tensor([0, 1])))

    assert list(score.per_class) == ["0", "1", "2"]


def test_the_interval_holds_the_accuracy(model: MLP, images: honshi.Images) -> None:
    score = honshi.evaluate(model, images)

    assert 0 < score.interval[0] < score.accuracy < score.interval[1] < 1


def test_the_users_own_criterion_is_used(model: MLP, images: honshi.Images) -> None:
    def margin(logits: Tensor, labels: Tensor) -> Tensor:
        return (logits.amax(1) - logits.gather(1, labels.unsqueeze(1)).squeeze(1)).mean()

    logits, labels = infer(model, images)

    assert honshi.evaluate(model, images, margin).loss == margin(logits, labels).item()


def test_loss_and_accuracy_are_those_of_the_whole_score(model: MLP, images: honshi.Images) -> None:
    score = honshi.evaluate(model, images)

    loss, accuracy = loss_and_accuracy(model, images, nn.CrossEntropyLoss())

    assert loss == pytest.approx(score.loss)
    assert accuracy == pytest.approx(score.accuracy)


def test_dropout_and_batch_norm_are_in_eval_mode(images: honshi.Images) -> None:
    model = CNN(widths=(4,), dropout=0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    assert honshi.evaluate(model, images) == honshi.evaluate(model, images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_in_the_mode_it_was_in(model: MLP, images: honshi.Images, training: bool) -> None:
    model.train(training)

    honshi.evaluate(model, images)

    assert {module.training for module in model.modules()} == {training}


def test_the_model_stays_in_its_mode_when_evaluation_breaks_off(model: MLP) -> None:
    model.train()

    with pytest.raises(ModelError, match=r"does not take inputs of shape \(2, 5\).*shapes cannot be multiplied"):
        honshi.evaluate(model, TensorDataset(torch.zeros(2, 5), torch.zeros(2, dtype=torch.int64)))

    assert model.training


def test_no_gradients_are_recorded(model: MLP, images: honshi.Images) -> None:
    logits, _ = infer(model, images)

    assert not logits.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gradients_that_were_there_stay(model: MLP, images: honshi.Images) -> None:
    inputs, labels = as_tensors(images)
    nn.functional.cross_entropy(model(inputs), labels).backward()
    before = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]

    honshi.evaluate(model, images)

    after = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_model_without_parameters_is_scored() -> None:
    data = TensorDataset(torch.zeros(4, 1), torch.tensor([0, 0, 0, 1]))

    assert honshi.evaluate(ThreeWay(), data).accuracy == 0.75


def test_the_sealed_test_set_is_refused(model: MLP, mnist: honshi.Splits) -> None:
    with pytest.raises(SealedError, match="sealed"):
        honshi.evaluate(model, mnist.test)  # type: ignore[arg-type]


def test_a_loader_around_the_sealed_test_set_is_refused(model: MLP, mnist: honshi.Splits) -> None:
    loader = DataLoader(mnist.test, batch_size=100)  # type: ignore[arg-type,var-annotated]

    with pytest.raises(SealedError, match="sealed"):
        honshi.evaluate(model, loader)


def test_nothing_to_evaluate_is_an_error_that_says_so(model: MLP, images: honshi.Images) -> None:
    for nothing in (
        images.subset([]),
        DataLoader(images.subset([])),
        TensorDataset(torch.zeros(0, 1, 28, 28), torch.zeros(0, dtype=torch.int64)),
    ):
        with pytest.raises(ModelError, match="no images"):
            honshi.evaluate(model, nothing)


def test_data_of_another_kind_are_refused_with_what_would_do(model: MLP, images: honshi.Images) -> None:
    with pytest.raises(TypeError, match="TensorDataset"):
        honshi.evaluate(model, as_tensors(images))  # type: ignore[arg-type]


def test_the_score_goes_into_json(model: MLP, images: honshi.Images) -> None:
    score = honshi.evaluate(model, images)

    document = json.loads(json.dumps(score.to_dict()))

    assert document["accuracy"] == score.accuracy
    assert document["interval"] == list(score.interval)
    assert document["per_class"]["3"]["recall"] == score.per_class["3"].recall


def test_an_answer_that_is_nan_has_no_score(mnist: honshi.Splits) -> None:
    layer = nn.Linear(784, 10)
    layer.weight.data[3, 5] = torch.nan
    model = nn.Sequential(nn.Flatten(), layer)

    with pytest.raises(ModelError, match=r"Of 100 images the model answers 100 with NaN"):
        honshi.evaluate(model, mnist.val.subset(range(100)))
