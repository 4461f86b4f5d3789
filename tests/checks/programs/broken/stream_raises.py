"""A stream that stumbles over its own examples."""

import torch
from torch import nn

CHECK = "data"
TOLD = ["The stream raised", "stream_raises.py, line 24", "ZeroDivisionError"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        for index in range(200):
            yield torch.randn(1, 28, 28) / (1 // (10 - index)), index % 10


data = Stream()
