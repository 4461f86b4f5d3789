"""A layer is made and forgotten in forward."""

import torch
from torch import nn

CHECK = "gradients"
TOLD = ["fc2", "never calls"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 64)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc3(x)
