"""The class of the optimizer in place of an optimizer."""

import torch
from torch import nn

CHECK = "optimizer"
TOLD = ["the class SGD", "SGD(model.parameters()"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def make_optimizer(model):
    return torch.optim.SGD
