"""The loss as a number."""

import torch
from torch import nn

CHECK = "loss"
TOLD = ["a float", ".item()"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def criterion(logits, labels):
    return nn.functional.cross_entropy(logits, labels).item()
