"""Layers in a plain list are not registered."""

import torch
from torch import nn

CHECK = "registration"
TOLD = ["self.layers", "nn.ModuleList"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(784, 128), nn.Linear(128, 64)]
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.last(x)
