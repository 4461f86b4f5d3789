"""Programs of the shape of the lecture's listings run unchanged but for their imports: each is written here as a
student types it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import honshi

pytestmark = pytest.mark.filterwarnings("ignore:train=False is the mock exam")

DATA = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset, Subset
from honshi.lecture import datasets, transforms

transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
train_dataset = datasets.MNIST(root="./data", train=True, download=True, transform=transform)
test_dataset = datasets.MNIST(root="./data", train=False, download=True, transform=transform)
train_dataset, test_dataset = Subset(train_dataset, range(6000)), Subset(test_dataset, range(500))
train_loader = DataLoader(train_dataset, batch_size=64, shuffle=True)
test_loader = DataLoader(test_dataset, batch_size=64, shuffle=False)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""

MODEL = """
class MNISTClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x):
        x = x.view(-1, 28 * 28)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)
"""

LOOP = """
def train(model, loader, criterion, optimizer, device):
    model.train()
    running_loss, correct, total = 0.0, 0, 0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        correct += (outputs.argmax(1) == labels).sum().item()
        total += labels.size(0)
    return running_loss / len(loader), 100 * correct / total


def evaluate(model, loader, criterion, device):
    model.eval()
    running_loss, correct, total = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            outputs = model(images)
            running_loss += criterion(outputs, labels).item()
            correct += (outputs.argmax(1) == labels).sum().item()
            total += labels.size(0)
    return running_loss / len(loader), 100 * correct / total
"""

SCRIPT = """
model = MNISTClassifier().to(device)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.1)
history = {"train_loss": [], "train_acc": [], "test_loss": [], "test_acc": []}
for epoch in range(3):
    for part, loss_and_accuracy in (
        ("train", train(model, train_loader, criterion, optimizer, device)),
        ("test", evaluate(model, test_loader, criterion, device)),
    ):
        history[part + "_loss"].append(loss_and_accuracy[0])
        history[part + "_acc"].append(loss_and_accuracy[1])
"""

CURVES = """
import matplotlib.pyplot as plt


def plot_learning_curves(history, file):
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for axis, name in zip(axes, ("loss", "acc")):
        for part in ("train", "test"):
            axis.plot(history[part + "_" + name], label=part)
        axis.set_xlabel("epoch")
        axis.set_ylabel(name)
        axis.legend()
    figure.savefig(file)
    plt.close(figure)


plot_learning_curves(history, "curves.png")
"""

SAVE = """
torch.save(model.state_dict(), "mnist.pth")
loaded = MNISTClassifier().to(device)
loaded.load_state_dict(torch.load("mnist.pth", map_location=device))
loaded.eval()


def predict_single_image(model, image, device):
    model.eval()
    with torch.no_grad():
        outputs = model(image.unsqueeze(0).to(device))
        probabilities = F.softmax(outputs, dim=1)
        confidence, predicted = probabilities.max(1)
    return predicted.item(), confidence.item()


image, label = test_dataset[0]
predicted, confidence = predict_single_image(loaded, image, device)
"""

OWN_DATASET = """
class OwnDataset(Dataset):
    def __init__(self, images, labels, transform=None):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image, label = self.images[index], int(self.labels[index])
        return (self.transform(image) if self.transform else image), label


published = train_dataset.dataset
own = OwnDataset(published.data[:300].numpy(), published.targets[:300], transform)
images, labels = next(iter(DataLoader(own, batch_size=32)))
"""

REMEDIES = """
class RegularisedClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 128)
        self.bn1 = nn.BatchNorm1d(128)
        self.dropout = nn.Dropout(0.2)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = x.view(-1, 28 * 28)
        x = self.dropout(F.relu(self.bn1(self.fc1(x))))
        return self.fc2(x)


model = RegularisedClassifier().to(device)
optimizer = optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-4)
first = train(model, train_loader, nn.CrossEntropyLoss(), optimizer, device)
second = train(model, train_loader, nn.CrossEntropyLoss(), optimizer, device)
"""


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What somebody has who types some listings one after the other, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*listings: str) -> dict[str, Any]:
        names: dict[str, Any] = {}
        for listing in listings:
            exec(compile(listing, "listing", "exec"), names)
        return names

    return run


def test_the_data_are_pictures_and_classes_in_batches(typed: Any) -> None:
    names = typed(DATA)
    images, labels = next(iter(names["train_loader"]))

    assert (images.shape, images.dtype) == ((64, 1, 28, 28), torch.float32)
    assert (labels.shape, labels.dtype) == ((64,), torch.int64)
    assert (float(images.min()), float(images.max())) == (-1, 1)
    assert list(Path().iterdir()) == []  # nothing is written to ./data


def test_the_script_learns_draws_saves_loads_and_predicts(typed: Any) -> None:
    names = typed(DATA, MODEL, LOOP, SCRIPT, CURVES, SAVE)
    history = names["history"]

    assert history["train_loss"][0] > history["train_loss"][-1]
    assert history["test_acc"][-1] > 75
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")
    for name, weight in names["model"].state_dict().items():
        assert torch.equal(weight, names["loaded"].state_dict()[name])
    assert names["predicted"] in range(10)
    assert 0.1 < names["confidence"] <= 1


def test_a_data_set_of_ones_own_and_the_remedies_run(typed: Any) -> None:
    names = typed(DATA, LOOP, OWN_DATASET, REMEDIES)

    assert names["images"].shape == (32, 1, 28, 28)
    assert names["second"][0] < names["first"][0]


def test_honshi_takes_the_same_model_loaders_and_functions(typed: Any) -> None:
    names = typed(DATA, MODEL, LOOP)
    model, criterion = names["MNISTClassifier"](), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    result = honshi.fit(model, criterion, optimizer, names["train_loader"], names["test_loader"], 2)
    evaluation = honshi.evaluate(model, names["test_loader"])
    report = honshi.check(
        names["MNISTClassifier"](), names["train_loader"], train=names["train"], evaluate=names["evaluate"]
    )

    assert [row.epoch for row in result.history] == [1, 2]
    assert evaluation.accuracy == pytest.approx(
        names["evaluate"](model, names["test_loader"], criterion, "cpu")[1] / 100
    )
    assert {finding.check for finding in report.findings if finding.level == "fail"} == set()
