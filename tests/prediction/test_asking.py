from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import honshi
from honshi.errors import ImageError, ModelError
from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.models import CNN, MLP
from honshi.models.card import Card, attach, needed_card
from honshi.pictures import Normalization, Preprocessing
from honshi.prediction import predict_files, predict_pixels


@pytest.fixture(scope="module")
def model(mnist: honshi.Splits) -> MLP:
    """The lecture's network after a moment of training."""
    torch.manual_seed(0)
    model = MLP()
    honshi.fit(
        model,
        nn.CrossEntropyLoss(),
        torch.optim.SGD(model.parameters(), lr=0.1),
        mnist.train.subset(range(6000)),
        mnist.val.subset(range(500)),
        epochs=3,
    )
    return model


@pytest.fixture
def preprocessing(mnist: honshi.Splits) -> Preprocessing:
    return mnist.train.preprocessing


def digit(mnist: honshi.Splits, label: int) -> Tensor:
    """The first validation image of a class, uint8 (28, 28)."""
    return mnist.val.pixels[int((mnist.val.labels == label).nonzero()[0]), 0]


@pytest.fixture
def seven(mnist: honshi.Splits) -> Image.Image:
    return Image.fromarray(digit(mnist, 7).numpy())


@pytest.fixture
def colour() -> Preprocessing:
    """What a model of colour images of 6 rows and 8 columns wants."""
    return Preprocessing(
        shape=(3, 6, 8), classes=("a", "b"), normalization=Normalization(mean=(0.5,), std=(0.5,)), background=0.5
    )


# What is recognised


def test_digits_in_files_are_taken_for_what_the_model_takes_them_for(
    model: MLP, mnist: honshi.Splits, tmp_path: Path
) -> None:
    some = mnist.val.subset(range(30))
    with torch.no_grad():
        direct = model.eval()(some.normalization(some.pixels)).double().softmax(1)

    for number, expected in enumerate(direct):
        path = tmp_path / f"{number}.png"
        Image.fromarray(some.pixels[number, 0].numpy()).save(path)
        prediction = honshi.predict(model, path)
        assert prediction.label == str(int(expected.argmax()))
        assert prediction.confidence == pytest.approx(expected.max().item(), rel=1e-4)
        assert list(prediction.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize("label", [0, 1, 7])
def test_known_digits_are_recognised(model: MLP, mnist: honshi.Splits, label: int) -> None:
    assert honshi.predict(model, digit(mnist, label)).label == str(label)


def test_probabilities_go_by_class_and_add_up_to_1(model: MLP, seven: Image.Image) -> None:
    prediction = honshi.predict(model, seven)

    assert list(prediction.probabilities) == [str(number) for number in range(10)]
    assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
    assert prediction.confidence == prediction.probabilities["7"] == max(prediction.probabilities.values())


def test_many_images_at_once_are_predicted_as_one_by_one(model: MLP, mnist: honshi.Splits) -> None:
    pixels = mnist.val.pixels[:40]

    together = predict_pixels(model, pixels)

    alone = [honshi.predict(model, image) for image in pixels]
    assert [prediction.label for prediction in together] == [prediction.label for prediction in alone]
    assert [prediction.confidence for prediction in together] == pytest.approx(
        [prediction.confidence for prediction in alone], rel=1e-4
    )


def test_many_images_of_a_convnet_are_predicted_as_one_by_one(mnist: honshi.Splits) -> None:
    torch.manual_seed(0)
    model = CNN()
    model.preprocessing = mnist.train.preprocessing  # type: ignore[assignment]
    pixels = mnist.val.pixels[:20]

    many = predict_pixels(model, pixels)

    for one, image in zip(many, pixels, strict=True):
        assert list(one.probabilities.values()) == pytest.approx(
            list(honshi.predict(model, image).probabilities.values()), abs=1e-5
        )


def test_many_predictions_are_a_sequence_and_arrays(model: MLP, mnist: honshi.Splits) -> None:
    predictions = predict_pixels(model, mnist.val.pixels[:40])

    assert len(predictions) == 40
    assert predictions.labels == [prediction.label for prediction in predictions]
    assert predictions.confidences == [prediction.confidence for prediction in predictions]
    assert predictions.probabilities[3].tolist() == list(predictions[3].probabilities.values())
    assert list(predictions[10:12]) == [predictions[10], predictions[11]]
    assert predictions[-1] == predictions[39]
    assert list(predictions[::-1]) == list(reversed(predictions))
    with pytest.raises(IndexError):
        predictions[40]


def test_the_temperature_changes_the_confidence_and_not_the_label(model: MLP, seven: Image.Image) -> None:
    cold = honshi.predict(model, seven)
    hot_model = MLP()
    hot_model.load_state_dict(model.state_dict())
    attach(hot_model, replace(needed_card(model), temperature=3.0))

    hot = honshi.predict(hot_model, seven)

    assert hot.label == cold.label
    assert 1 / 10 < hot.confidence < cold.confidence


@pytest.mark.parametrize("training", [True, False])
def test_prediction_is_in_eval_mode_and_leaves_the_mode_it_found(seven: Image.Image, training: bool) -> None:
    dropping = MLP(dropout=0.9).train(training)
    dropping.preprocessing = Preprocessing(  # type: ignore[assignment]
        shape=(1, 28, 28),
        classes=tuple("0123456789"),
        normalization=Normalization(mean=(0.5,), std=(0.5,)),
        background=0.0,
    )

    assert honshi.predict(dropping, seven) == honshi.predict(dropping, seven)
    assert dropping.training == training


def test_a_model_that_has_seen_no_images_says_what_to_do(seven: Image.Image) -> None:
    with pytest.raises(ModelError, match=r"model\.preprocessing = images\.preprocessing"):
        honshi.predict(MLP(), seven)


@pytest.mark.parametrize("size", [14, 56, 100, 500])
def test_a_larger_or_smaller_picture_is_recognised(model: MLP, seven: Image.Image, tmp_path: Path, size: int) -> None:
    seven.resize((size, size), Image.Resampling.BICUBIC).save(tmp_path / "seven.png")

    assert honshi.predict(model, tmp_path / "seven.png").label == "7"


def test_a_model_of_colours_predicts(colour: Preprocessing) -> None:
    model = CNN(3, (4,), 2)
    model.preprocessing = colour  # type: ignore[assignment]

    assert set(honshi.predict(model, Image.new("RGB", (50, 40), "red")).probabilities) == {"a", "b"}


def test_an_inverted_picture_is_predicted_as_the_picture(model: MLP, mnist: honshi.Splits) -> None:
    ink = Image.fromarray(255 - digit(mnist, 7).numpy())

    assert honshi.predict(model, ink, invert=True) == honshi.predict(model, digit(mnist, 7))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(mnist: honshi.Splits, model: MLP, number: float) -> None:
    broken = copy.deepcopy(model)
    with torch.no_grad():
        next(broken.parameters()).fill_(number)

    with pytest.raises(ModelError, match="answers are not numbers"):
        honshi.predict(broken, mnist.val.pixels[0])


def test_a_digit_on_paper_is_brought_into_the_form_of_the_training_images(model: MLP, mnist: honshi.Splits) -> None:
    page = Image.new("L", (90, 120), 255)
    page.paste(Image.fromarray(255 - digit(mnist, 7).numpy()).resize((40, 40)), (5, 70))

    assert honshi.predict(model, page).label == "7"
    assert honshi.predict(model, page, as_is=True).confidence != honshi.predict(model, page).confidence


def test_of_many_files_each_is_answered_in_its_place(model: MLP, mnist: honshi.Splits, tmp_path: Path) -> None:
    names = [f"{number:03}.png" for number in range(2 * BATCH_SIZE // 3 + BATCH_SIZE)]
    for number, name in enumerate(names):
        Image.fromarray(mnist.val.pixels[number % 40, 0].numpy()).save(tmp_path / name)
    (tmp_path / names[3]).write_text("no picture")
    (tmp_path / names[-1]).unlink()

    answers = list(predict_files(model, [tmp_path / name for name in names], needed_card(model).contract))

    assert [answer.picture.name for answer in answers] == names
    assert [place for place, answer in enumerate(answers) if answer.error is not None] == [3, len(names) - 1]
    alone = honshi.predict(model, mnist.val.pixels[300 % 40])
    assert answers[300].prediction is not None
    assert answers[300].prediction.label == alone.label


def test_one_output_tells_two_classes_apart() -> None:
    images = honshi.Images(
        pixels=torch.tensor([0, 255], dtype=torch.uint8).repeat(10).view(20, 1, 1, 1),
        labels=torch.arange(20) % 2,
        classes=("dark", "light"),
    )
    layer = nn.Linear(1, 1)
    model = nn.Sequential(nn.Flatten(), layer)
    attach(model, Card(images.contract, images.classes))
    with torch.no_grad():
        layer.weight.fill_(2.0)
        layer.bias.zero_()

    predictions = predict_pixels(model, images.pixels[:2])

    assert predictions.labels == ["dark", "light"]
    assert predictions.confidences == pytest.approx([torch.tensor(2.0).sigmoid().item()] * 2)


@pytest.mark.parametrize("outputs", [2, 11])
def test_a_model_of_another_number_of_classes_is_refused(
    preprocessing: Preprocessing, seven: Image.Image, outputs: int
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, outputs))
    attach(model, Card(preprocessing.contract, preprocessing.classes))

    with pytest.raises(ModelError, match=f"has {outputs} outputs and is to tell 10 classes apart"):
        honshi.predict(model, seven)


def test_a_model_of_another_size_is_refused(preprocessing: Preprocessing, seven: Image.Image) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(783, 10))
    attach(model, Card(preprocessing.contract, preprocessing.classes))

    with pytest.raises(ModelError, match="does not take inputs"):
        honshi.predict(model, seven)


@pytest.mark.parametrize("pixels", [torch.zeros(2, 1, 28, 28), torch.zeros(1, 28, 28, dtype=torch.uint8)])
def test_images_that_are_not_prepared_are_refused(model: MLP, pixels: Tensor) -> None:
    with pytest.raises(ImageError, match="Prepared images are uint8"):
        predict_pixels(model, pixels)


@pytest.mark.parametrize("picture", [None, 3, [[0]], {}])
def test_what_is_no_picture_is_refused(model: MLP, picture: Any) -> None:
    with pytest.raises(ImageError, match="A picture is"):
        honshi.predict(model, picture)
