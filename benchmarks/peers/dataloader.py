"""PyTorch with a DataLoader over a TensorDataset: normalised once, still collated image by image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import mnist
from benchmarks.lecture_script import Net
from benchmarks.peers import BATCH_SIZE, LEARNING_RATE


def prepare() -> Callable[[], float]:
    torch.manual_seed(0)
    pixels, labels = mnist.training_set()
    dataset = TensorDataset(torch.from_numpy(mnist.normalized(pixels)), torch.from_numpy(labels))
    loader = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True)
    model = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def epoch() -> float:
        loss_sum = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(targets)
        return loss_sum / len(dataset)

    return epoch
