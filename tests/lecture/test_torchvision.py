"""Where torchvision is installed its data sets and transforms are taken as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset

import honshi
from honshi.lecture import datasets, transforms

torchvision: Any = pytest.importorskip("torchvision", exc_type=ImportError)
vision: Any = pytest.importorskip("torchvision.transforms", exc_type=ImportError)
v2: Any = pytest.importorskip("torchvision.transforms.v2", exc_type=ImportError)

THEIRS = {
    "transforms": vision.Compose([vision.ToTensor(), vision.Normalize((0.5,), (0.5,))]),
    "v2": v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.5,), (0.5,))]),
}


@pytest.mark.parametrize("name", THEIRS)
def test_its_transforms_make_of_a_picture_what_the_lecture_s_make(name: str) -> None:
    ours = datasets.MNIST(transform=transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]))
    theirs = datasets.MNIST(transform=THEIRS[name])

    for place in range(50):
        (ours_seen, ours_label), (theirs_seen, theirs_label) = ours[place], theirs[place]
        assert torch.allclose(ours_seen, theirs_seen, atol=1e-6)
        assert ours_label == theirs_label


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Fifty digits of each kind as PNG files, in a folder of class folders."""
    digits = honshi.load("mnist").train
    for label in range(10):
        place = tmp_path / str(label)
        place.mkdir()
        for number, pixels in enumerate(digits.pixels[digits.labels == label][:50]):
            Image.fromarray(pixels[0].numpy()).save(place / f"{number}.png")
    return tmp_path


def test_its_folder_of_pictures_has_the_classes_that_honshi_reads(folder: Path) -> None:
    assert honshi.load(folder).train.classes == tuple(torchvision.datasets.ImageFolder(folder).classes)


def test_its_data_set_is_trained_on_scored_and_checked(folder: Path) -> None:
    transform = vision.Compose([vision.Grayscale(), vision.RandomRotation(5), THEIRS["transforms"]])
    pictures = torchvision.datasets.ImageFolder(folder, transform)
    train, val = (
        DataLoader(Subset(pictures, range(first, len(pictures), 5)), batch_size=32, shuffle=first > 0)
        for first in (1, 0)
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    result = honshi.fit(model, nn.CrossEntropyLoss(), optimizer, train, val, 10)
    evaluation = honshi.evaluate(model, val)
    report = honshi.check(model, train)

    assert [row.epoch for row in result.history] == list(range(1, 11))
    assert evaluation.accuracy > 0.5
    assert {finding.check for finding in report.findings if finding.level == "fail"} == set()


def test_its_networks_are_trained_too() -> None:
    torch.manual_seed(0)
    images: Tensor = torch.randn(16, 3, 32, 32)
    loader = DataLoader(TensorDataset(images, torch.arange(16) % 2), batch_size=8)
    model = torchvision.models.resnet18(weights=None, num_classes=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    result = honshi.fit(model, nn.CrossEntropyLoss(), optimizer, loader, loader, 2)

    assert result.history[-1].train_loss < result.history[0].train_loss
