from __future__ import annotations

import copy
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

import honshi
from honshi.errors import ImageError, ModelError, RequestError, RunNotFoundError
from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.models import CNN, MLP, TTA, Ensemble
from honshi.models.card import Card, attach
from honshi.pictures import Normalization, Preprocessing
from honshi.prediction import Predictor, predict_pixels

GREY = Preprocessing(
    shape=(1, 28, 28), classes=tuple("0123456789"), normalization=Normalization(mean=(0.13,), std=(0.3,)), background=0
)
COLOUR = Preprocessing(
    shape=(3, 12, 10),
    classes=("一", "二", "三"),
    normalization=Normalization(mean=(0.1, 0.2, 0.3), std=(0.3, 0.2, 0.1)),
    background=0.0,
)


def plain() -> nn.Module:
    """Nothing of honshi's, as a student writes it."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(196, 10)
    )


MODELS = {
    "mlp": lambda: MLP(),
    "mlp with norms": lambda: MLP(784, (32, 16), 10, dropout=0.5, batch_norm=True),
    "cnn": lambda: CNN(),
    "cnn with residual layers": lambda: CNN(1, (4, 8), 10, residual=(0, 2), stem="stride"),
    "ensemble": lambda: Ensemble([CNN(1, (4,), 10), CNN(1, (4,), 10)]),
    "ensemble with moved copies": lambda: TTA(Ensemble([MLP(784, (8,), 10) for _ in range(2)]), shift=2, flip=True),
    "plain layers": plain,
    "in colour": lambda: CNN(3, (4, 8), 3),
}


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = MODELS[name]()  # type: ignore[no-untyped-call]
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):  # as after a training
            module.running_mean = torch.randn_like(module.running_mean) / 4  # type: ignore[arg-type]
            module.running_var = torch.rand_like(module.running_var) + 0.5  # type: ignore[arg-type]
    said = COLOUR if name == "in colour" else GREY
    attach(model, Card(said.contract, said.classes, temperature=1.7))
    return model.eval()


def noise(count: int, predictor: Predictor) -> Tensor:
    return torch.randint(256, (count, *predictor.contract.shape), dtype=torch.uint8)


# Every engine gives the same answers


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [1, 2, BATCH_SIZE + 3])
def test_all_engines_give_the_probabilities_of_the_model(name: str, count: int) -> None:
    model = made(name)
    runtime, ours = Predictor(model), Predictor(model, engine="torch")
    pixels = noise(count, ours)
    with torch.no_grad():
        expected = (model(ours.contract.normalization(pixels)) / 1.7).softmax(1)

    assert (runtime.engine, ours.engine) == ("onnxruntime", "torch")
    for predictor in (runtime, ours):
        probabilities = predictor.predict_pixels(pixels).probabilities
        assert (probabilities - expected).abs().max() < 1e-5
    assert (predict_pixels(model, pixels).probabilities - expected).abs().max() < 1e-5


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_validation_images_are_answered_as_honshi_predict_answers_them(mnist: honshi.Splits, engine: Any) -> None:
    model = made("cnn")
    predictor = Predictor(model, engine=engine)
    some = mnist.val.pixels[:600]

    together = predictor.predict_pixels(some)

    assert (together.probabilities - predict_pixels(model, some).probabilities).abs().max() < 1e-5
    for place in (0, 299, 599):
        alone, asked = predictor.predict(some[place]), honshi.predict(model, some[place])
        assert alone.label == asked.label == together.labels[place]
        assert list(alone.probabilities.values()) == pytest.approx(list(asked.probabilities.values()), abs=1e-5)
        assert list(alone.probabilities.values()) == pytest.approx(
            list(together[place].probabilities.values()), abs=1e-5
        )


@given(
    st.integers(2, 100).flatmap(lambda k: st.lists(st.floats(-300, 300, width=32), min_size=k, max_size=k)),
    st.floats(0.05, 20),
)
def test_one_image_has_the_probabilities_that_it_has_among_many(logits: list[float], temperature: float) -> None:
    class Said(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.tensor(logits).repeat(len(images), 1)

    model = Said()
    attach(model, Card(GREY.contract, tuple(map(str, range(len(logits)))), temperature))
    pixels = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)

    many = predict_pixels(model, pixels)[0]

    alone = honshi.predict(model, pixels[0])
    assert list(alone.probabilities.values()) == pytest.approx(list(many.probabilities.values()), rel=1e-4, abs=1e-9)
    assert sum(alone.probabilities.values()) == pytest.approx(1)


# What it takes


def test_a_run_is_taken_by_folder_name_and_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = honshi.Experiment.build(
        honshi.Recipe.read("mlp").changed({"data.subset": 200, "training.epochs": 1, "training.device": "cpu"})
    )
    run = honshi.Run.create(experiment.recipe, tmp_path / "runs" / "one")
    experiment.train(run)
    monkeypatch.chdir(tmp_path)
    picture = torch.zeros(1, 28, 28, dtype=torch.uint8)

    answers = [Predictor(run_).predict(picture) for run_ in (run, run.path, str(run.path), "one", "latest")]

    assert all(answer == answers[0] for answer in answers)
    with pytest.raises(RunNotFoundError):
        Predictor("two")


def test_pictures_of_every_kind_are_taken_and_give_one_answer(tmp_path: Path) -> None:
    predictor = Predictor(made("mlp"))
    pixels = torch.randint(256, (1, 28, 28), dtype=torch.uint8)
    array = pixels[0].numpy()
    path = tmp_path / "one.png"
    Image.fromarray(array).save(path)

    expected = predictor.predict(pixels)

    kinds: list[Any] = [
        path,
        str(path),
        path.read_bytes(),
        Image.fromarray(array),
        array,
        np.stack([array] * 3, -1),
        pixels[0],
    ]
    assert all(predictor.predict(kind) == expected for kind in kinds)
    together = predictor.predict_many(kinds)
    assert together.labels == [expected.label] * len(kinds)
    assert len(predictor.predict_many([])) == len(predictor.predict_pixels(noise(0, predictor))) == 0
    assert [answer.prediction for answer in predictor.predict_files([path, path.read_bytes()])] == list(
        predictor.predict_many([path, path])
    )


def test_what_cannot_be_asked_is_refused_with_a_sentence() -> None:
    with pytest.raises(ModelError, match="Nothing is known of how this model wants its images"):
        Predictor(MLP())
    with pytest.raises(RequestError, match="An engine is"):
        Predictor(made("mlp"), engine="tensorrt")  # type: ignore[arg-type]
    predictor = Predictor(made("mlp"))
    with pytest.raises(ImageError, match="Prepared images are uint8"):
        predictor.predict_pixels(torch.zeros(1, 28, 28))
    with pytest.raises(ImageError, match="A picture is"):
        predictor.predict(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_weights_that_are_no_numbers_are_refused_for_one_image_and_for_many(engine: Any) -> None:
    model = made("mlp")
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    predictor = Predictor(model, engine=engine)

    with pytest.raises(ModelError, match="are not numbers"):
        predictor.predict(noise(1, predictor)[0])
    with pytest.raises(ModelError, match="are not numbers"):
        predictor.predict_pixels(noise(3, predictor))


# Which engine it is


class Doubled(nn.Linear):
    """Looks like a layer of torch, and computes something else."""

    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * super().forward(inputs)


def hooked() -> nn.Module:
    layer = nn.Linear(784, 10)
    layer.register_forward_hook(lambda module, inputs, output: output * 2)
    return nn.Sequential(nn.Flatten(), layer)


class Renamed(MLP):
    """A network of honshi's that somebody has changed."""

    def forward(self, images: Tensor) -> Tensor:
        return -super().forward(images)


@pytest.mark.parametrize(
    "build", [lambda: nn.Sequential(nn.Flatten(), Doubled(784, 10)), hooked, Renamed, lambda: MLP().double()]
)
def test_what_onnx_runtime_would_not_answer_alike_torch_answers(build: Any) -> None:
    model = build()
    dtype = next(model.parameters()).dtype
    if dtype == torch.float64:
        model = nn.Sequential(Casting(), model)
    attach(model, Card(GREY.contract, GREY.classes))

    predictor = Predictor(model)

    assert predictor.engine == "torch"
    pixels = noise(3, predictor)
    with torch.no_grad():
        expected = model.eval()(GREY.normalization(pixels)).double().softmax(1)
    assert (predictor.predict_pixels(pixels).probabilities - expected).abs().max() < 1e-5
    with pytest.raises(RequestError, match="cannot compute this model"):
        Predictor(model, engine="onnxruntime")


class Casting(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.double()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_onnx_runtime_torch_answers(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    assert Predictor(made("mlp")).engine == "torch"


# It leaves everything as it was, and may be asked by many at once


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
@pytest.mark.parametrize("training", [True, False])
def test_the_model_keeps_its_mode_and_the_predictor_keeps_the_model(engine: Any, training: bool) -> None:
    model = made("mlp with norms").train(training)
    threads, graph = torch.get_num_threads(), torch.is_grad_enabled()
    predictor = Predictor(model, engine=engine)
    pixels = noise(5, predictor)
    before = predictor.predict_pixels(pixels).probabilities

    assert all(module.training == training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(predictor.predict_pixels(pixels).probabilities, before)
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, graph)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_sixteen_threads_are_answered_as_one_is(engine: Any) -> None:
    predictor = Predictor(made("cnn"), engine=engine)
    pixels = noise(64, predictor)
    alone = [predictor.predict(image) for image in pixels]
    together = predictor.predict_pixels(pixels[:20]).probabilities

    with ThreadPoolExecutor(16) as threads:
        many = list(threads.map(lambda number: predictor.predict(pixels[number % 64]), range(320)))
        batches = list(threads.map(lambda _: predictor.predict_pixels(pixels[:20]).probabilities, range(32)))

    assert many == alone * 5
    assert all(torch.equal(batch, together) for batch in batches)


def test_one_is_made_in_less_than_a_second() -> None:
    model = made("cnn")
    Predictor(model)  # loads ONNX Runtime
    started = time.perf_counter()

    Predictor(copy.deepcopy(model))

    assert time.perf_counter() - started < 1
