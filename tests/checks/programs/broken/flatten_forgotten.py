"""The images go into a linear layer as they are."""

import torch
from torch import nn

CHECK = "shapes"
TOLD = ["fc1", "flatten is missing", "(b, 784)"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)
