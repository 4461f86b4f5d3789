"""A model of float64, and images of float32."""

import torch
from torch import nn

CHECK = "shapes"
TOLD = ["float64 weights", "model.float()"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def make_model():
    return Net().double()
