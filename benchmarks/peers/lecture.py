"""The lecture's script: each image is made, transformed and collated on its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks import mnist
from benchmarks.lecture_script import MNIST, Net, train, transform
from benchmarks.peers import BATCH_SIZE, LEARNING_RATE


def prepare() -> Callable[[], float]:
    torch.manual_seed(0)
    loader = DataLoader(MNIST(mnist.training_set(), transform), batch_size=BATCH_SIZE, shuffle=True)
    model = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    return lambda: train(model, loader, criterion, optimizer, torch.device("cpu"))
