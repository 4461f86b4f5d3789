from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import honshi
from honshi.errors import ModelError, RequestError
from honshi.export import to_onnx
from honshi.models import CNN, MLP, TTA, Ensemble
from honshi.models.card import Card, attach, needed_card
from honshi.pictures import Normalization, Preprocessing
from honshi.prediction import predict_pixels

GREY = Preprocessing(
    shape=(1, 12, 12), classes=("一", "二", "三"), normalization=Normalization(mean=(0.13,), std=(0.3,)), background=0.0
)
COLOUR = Preprocessing(
    shape=(3, 12, 12),
    classes=("一", "二", "三"),
    normalization=Normalization(mean=(0.1, 0.2, 0.3), std=(0.3, 0.2, 0.1)),
    background=0.0,
)
MODELS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: MLP(144, (16,), 3, dropout=0.5, batch_norm=True),
    "cnn": lambda: CNN(1, (4, 8), 3),
    "ensemble with tta": lambda: TTA(Ensemble([CNN(1, (4,), 3) for _ in range(2)]), shift=1, flip=True),
    "in colour": lambda: CNN(3, (4, 8), 3),
}


def prepared(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS[name]()
    preprocessing = COLOUR if name == "in colour" else GREY
    attach(model, Card(preprocessing.contract, preprocessing.classes, temperature=1.7))
    return model.eval()


def pixels(count: int, model: nn.Module) -> Tensor:
    return torch.randint(256, (count, *needed_card(model).contract.shape), dtype=torch.uint8)


def asked(path: Path, images: Tensor) -> list[Tensor]:
    """Logits and probabilities of ONNX Runtime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(output) for output in session.run(["logits", "probabilities"], {"images": images.numpy()})]


@pytest.mark.parametrize("name", MODELS)
def test_another_runtime_gives_the_same_answers_for_any_number_of_images(name: str, tmp_path: Path) -> None:
    model = prepared(name)
    path = tmp_path / "model.onnx"

    exported = to_onnx(model, path)

    assert exported.difference < 1e-4
    assert exported.size == path.stat().st_size
    for count in (1, 5):
        images = pixels(count, model)
        logits, probabilities = asked(path, images)
        ours = model(needed_card(model).contract.normalization(images))
        torch.testing.assert_close(logits, ours, rtol=0, atol=1e-4)
        for row, prediction in zip(probabilities, predict_pixels(model, images), strict=True):
            assert row.tolist() == pytest.approx(list(prediction.probabilities.values()), abs=1e-5)


def test_the_file_says_what_its_outputs_mean(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    to_onnx(prepared("mlp"), path)

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == ["一", "二", "三"]
    assert metadata["temperature"] == "1.7"
    assert json.loads(metadata["preprocessing"]) == {
        "shape": [1, 12, 12],
        "fit": "pad",
        "scale": {"integers": 65535, "floats": 1.0},
        "background": 0.0,
        "form": None,
    }
    assert [(entry.name, entry.type, entry.shape) for entry in session.get_inputs()] == [
        ("images", "tensor(uint8)", ["n", 1, 12, 12])
    ]


def test_the_model_stays_as_it_was(tmp_path: Path) -> None:
    model = prepared("mlp").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    to_onnx(model, tmp_path / "model.onnx")

    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_file_whose_answers_differ_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honshi.export, "TOLERANCE", -1.0)

    with pytest.raises(ModelError, match="was not written"):
        to_onnx(prepared("mlp"), tmp_path / "model.onnx")

    assert list(tmp_path.iterdir()) == []


class Undecided(nn.Module):
    """Looks at its images and then decides what to compute: nothing that a graph could hold."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(144, 3)

    def forward(self, images: Tensor) -> Any:
        return self.layer(images.flatten(1)) if images.sum() > 0 else images.flatten(1)[:, :3]


def test_what_cannot_be_said_in_onnx_is_refused(tmp_path: Path) -> None:
    model = Undecided()
    model.preprocessing = GREY  # type: ignore[assignment]

    with pytest.raises(ModelError, match="cannot be expressed in ONNX"):
        to_onnx(model, tmp_path / "model.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_what_installs_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(RequestError, match=rf"{package}.*honshi\[onnx\]"):
        to_onnx(prepared("mlp"), tmp_path / "model.onnx")


def test_only_a_model_of_other_layers_needs_what_torch_exports_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    model = nn.Sequential(nn.Flatten(), nn.GELU(), nn.Linear(144, 3))
    model.preprocessing = GREY  # type: ignore[assignment]

    to_onnx(prepared("mlp"), tmp_path / "model.onnx")
    with pytest.raises(RequestError, match=r"onnxscript.*honshi\[onnx\]"):
        to_onnx(model, tmp_path / "other.onnx")


def test_a_model_of_other_layers_is_found_by_running_it(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.GELU(), nn.Linear(144, 3))
    attach(model, Card(GREY.contract, GREY.classes, temperature=1.7))

    to_onnx(model, tmp_path / "model.onnx")

    images = pixels(5, model)
    _, probabilities = asked(tmp_path / "model.onnx", images)
    torch.testing.assert_close(probabilities.double(), predict_pixels(model, images).probabilities, rtol=0, atol=1e-5)


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="folder"):
        to_onnx(prepared("mlp"), tmp_path)
