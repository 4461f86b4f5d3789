"""A new layer at each call learns nothing."""

import torch
from torch import nn

CHECK = "registration"
TOLD = ["__init__"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return nn.Linear(128, 10)(x)
