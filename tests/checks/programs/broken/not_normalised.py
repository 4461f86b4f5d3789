"""Pixels from 0 to 255 as they are."""

import torch
from torch import nn

CHECK = "normalisation"
TOLD = ["not normalised", "255"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


data = torch.utils.data.TensorDataset(torch.randint(0, 256, (200, 1, 28, 28)).float(), torch.arange(200) % 10)
