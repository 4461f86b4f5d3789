"""Only the images were shuffled, so the labels belong to others."""

import torch
from torch import nn

CHECK = "one batch"
TOLD = ["learnt by heart"]


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


# Two pictures, each with every label.
data = torch.utils.data.TensorDataset(torch.randn(2, 1, 28, 28).repeat(100, 1, 1, 1), torch.randperm(200) % 10)
