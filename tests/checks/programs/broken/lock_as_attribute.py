"""A model that holds a lock."""

import threading

import torch
from torch import nn

CHECK = "model"
TOLD = ["cannot be copied", "lock"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)
        self.lock = threading.Lock()

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)
