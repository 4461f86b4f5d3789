"""A tensor that the backward pass needs is changed in place."""

import torch
from torch import nn

CHECK = "gradients"
TOLD = ["changed in place", "changed_in_place.py, line 17", "h = h + 1"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.sigmoid(self.fc1(x.flatten(1)))
        x += 1
        return self.fc2(x)
