"""Sorted data, and a loader that does not shuffle."""

import torch
from torch import nn

CHECK = "order"
TOLD = ["shuffle=True"]


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


labels = torch.arange(10).repeat_interleave(200)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(2000, 1, 28, 28), labels), batch_size=50)
