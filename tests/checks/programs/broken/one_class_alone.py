"""Every image has the same label."""

import torch
from torch import nn

CHECK = "class balance"
TOLD = ["All images are of one class"]


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


data = torch.utils.data.TensorDataset(torch.randn(200, 1, 28, 28), torch.zeros(200, dtype=torch.int64))
