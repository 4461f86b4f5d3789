"""An optimizer of one's own that stumbles."""

import torch
from torch import nn

CHECK = "subset of 100"
TOLD = ["optimizer_raises.py, line 24", "KeyError"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


class Momentum(torch.optim.Optimizer):
    def step(self, closure=None):
        for group in self.param_groups:
            group["momentum"] *= 2


def make_optimizer(model):
    return Momentum(model.parameters(), {"lr": 0.1})
