"""The class of the model in place of a model."""

import torch
from torch import nn

CHECK = "model"
TOLD = ["the class Net", "Net()"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def make_model():
    return Net


def make_optimizer(model):
    return None
