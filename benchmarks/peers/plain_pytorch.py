"""PyTorch without a DataLoader: the images are one float tensor and a batch is an indexing of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from benchmarks import mnist
from benchmarks.lecture_script import Net
from benchmarks.peers import BATCH_SIZE, LEARNING_RATE


def prepare(device: str = "cpu") -> Callable[[], float]:
    torch.manual_seed(0)
    pixels, targets = mnist.training_set()
    inputs, labels = torch.from_numpy(mnist.normalized(pixels)).to(device), torch.from_numpy(targets).to(device)
    model = Net().to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def epoch() -> float:
        loss_sum = 0.0
        for places in torch.randperm(len(labels), device=device).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss = criterion(model(inputs[places]), labels[places])
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(places)
        return loss_sum / len(labels)

    return epoch
