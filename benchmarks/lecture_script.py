"""The lecture's script as a learner would type it, one process from start to end.

    python -m benchmarks.lecture_script

Dataset, transforms, DataLoader, Net, train() and evaluate(), 10 epochs with the test set scored after
each. Two things differ from a script on torchvision, which honshi does not depend on: the dataset and
the two transforms are written out here (the same tensor operations for each image, without
torchvision's checks of its arguments), and the files come from the package.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, Dataset

from benchmarks import mnist

BATCH_SIZE = 64
LEARNING_RATE = 0.1
EPOCHS = 10

Transform = Callable[[Image.Image], Tensor]


def to_tensor(image: Image.Image) -> Tensor:
    """A grey picture as floats (1, h, w) from 0 to 1."""
    pixels = torch.from_numpy(np.array(image, copy=True)).view(image.height, image.width, 1)
    return pixels.permute(2, 0, 1).contiguous().float().div(255)


def normalize(image: Tensor) -> Tensor:
    """(1, h, w) with mean 0.5 and standard deviation 0.5 for its one channel."""
    mean = torch.as_tensor((0.5,), dtype=image.dtype).view(-1, 1, 1)
    std = torch.as_tensor((0.5,), dtype=image.dtype).view(-1, 1, 1)
    return image.clone().sub_(mean).div_(std)


def transform(image: Image.Image) -> Tensor:
    return normalize(to_tensor(image))


class MNIST(Dataset[tuple[Tensor, int]]):
    """Bytes in memory; each image is made and transformed when it is asked for."""

    def __init__(self, arrays: tuple[NDArray[np.uint8], NDArray[np.int64]], transform: Transform) -> None:
        self.pixels, self.labels = arrays
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.pixels[index])
        return self.transform(image), int(self.labels[index])


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(-1, 28 * 28)
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits


Loader = DataLoader[tuple[Tensor, int]]


def train(
    model: nn.Module, loader: Loader, criterion: nn.Module, optimizer: optim.Optimizer, device: torch.device
) -> float:
    model.train()
    running_loss = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    return running_loss / len(loader)


def evaluate(model: nn.Module, loader: Loader, criterion: nn.Module, device: torch.device) -> tuple[float, float]:
    model.eval()
    test_loss, correct, total = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            logits = model(images)
            test_loss += criterion(logits, labels).item()
            correct += (logits.argmax(1) == labels).sum().item()
            total += len(labels)
    return test_loss / len(loader), correct / total


def main() -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    train_loader = DataLoader(MNIST(mnist.training_set(), transform), batch_size=BATCH_SIZE, shuffle=True)
    test_loader = DataLoader(MNIST(mnist.test_set(), transform), batch_size=BATCH_SIZE, shuffle=False)
    model = Net().to(device)
    print(model)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)
    for epoch in range(1, EPOCHS + 1):
        train_loss = train(model, train_loader, criterion, optimizer, device)
        test_loss, accuracy = evaluate(model, test_loader, criterion, device)
        print(
            f"Epoch {epoch}/{EPOCHS}  train loss {train_loss:.4f}  test loss {test_loss:.4f}  accuracy {accuracy:.2%}"
        )


if __name__ == "__main__":
    main()
