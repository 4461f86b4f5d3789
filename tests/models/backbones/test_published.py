"""EfficientNet-Lite with the weights that were published: beside the package that they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torch import Tensor

from honshi.errors import ModelError
from honshi.models import backbones
from honshi.models.backbones import published
from honshi.models.backbones.efficientnet_lite import EfficientNetLite
from honshi.pictures.contract import Normalization
from honshi.pictures.prepare import prepare

DAISY = 985
IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def shown(name: str, picture: str) -> Tensor:
    """A photograph as a backbone wants it, uint8 (1, 3, h, w)."""
    return prepare(np.ascontiguousarray(load_sample_image(picture)), backbones.input_contract(name)).unsqueeze(0)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_the_logits_are_those_of_the_reference_package(name: str) -> None:
    reference_package = pytest.importorskip("efficientnet_lite_pytorch")
    weights = torch.load(published.weights_file(name), weights_only=True)
    reference = reference_package.EfficientNet.from_name(name)
    reference.load_state_dict(weights)
    network, _ = backbones.pretrained(name)
    pixels = torch.cat([shown(name, "flower.jpg"), shown(name, "china.jpg")])
    images = backbones.input_contract(name).normalization(pixels)
    with torch.no_grad():
        logits = network(images) @ weights["_fc.weight"].T + weights["_fc.bias"]
        expected = reference.eval()(images)
    assert (logits - expected).abs().max() < 1e-5


def test_a_flower_is_a_daisy_by_the_normalisation_of_the_contract_and_less_so_by_that_of_imagenet() -> None:
    weights = torch.load(published.weights_file("efficientnet-lite0"), weights_only=True)
    network, _ = backbones.pretrained("efficientnet-lite0")
    pixels = shown("efficientnet-lite0", "flower.jpg")
    own = backbones.input_contract("efficientnet-lite0").normalization
    with torch.no_grad():
        images = torch.cat([own(pixels.clone()), IMAGENET(pixels.clone())])
        answers = network(images) @ weights["_fc.weight"].T + weights["_fc.bias"]
    assert answers[0].argmax() == DAISY
    assert answers[1].argmax() != DAISY


def test_other_weights_than_those_that_were_published_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "weights.pth"
    other.write_bytes(b"something else")
    monkeypatch.setattr(published, "weights_file", lambda name: other)
    with pytest.raises(ModelError, match=r"weights\.pth.*efficientnet-lite0.*579344248a93"):
        backbones.pretrained("efficientnet-lite0")
    monkeypatch.setattr(published, "weights_file", lambda name: tmp_path / "not there.pth")
    with pytest.raises(ModelError, match=r"not there\.pth"):
        backbones.pretrained("efficientnet-lite0")


def test_weights_that_are_not_installed_are_named_with_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"efficientnet-lite2.*honshi\[photos\]"):
        backbones.pretrained("efficientnet-lite2")


def test_a_backbone_of_no_known_name_is_refused() -> None:
    with pytest.raises(ModelError, match="resnet"):
        backbones.build("resnet")


@pytest.mark.parametrize("side", [32, 33, 47])
def test_any_size_goes_through_with_as_many_places_as_strides_fit_in(side: int) -> None:
    network = EfficientNetLite(0.25, 0.25).eval()
    with torch.no_grad():
        images = torch.randn(2, 3, side, side)
        assert network(images).shape == (2, 1280)
        assert network.head(network.blocks(network.stem(images))).shape[2:] == (-(-side // 32),) * 2
