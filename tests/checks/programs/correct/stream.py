"""An IterableDataset."""

import torch
from torch import nn


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
        for index in range(300):
            label = index % 10
            noise = 0.3 * torch.randn(1, 28, 28, generator=torch.Generator().manual_seed(index))
            noise[:, 2 * label : 2 * label + 3] += 1
            yield noise, label


data = Stream()
