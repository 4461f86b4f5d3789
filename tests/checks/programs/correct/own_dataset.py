"""A Dataset of one's own, whose labels are Python integers."""

import torch
from torch import nn


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


class Stripes(torch.utils.data.Dataset):
    def __len__(self):
        return 500

    def __getitem__(self, index):
        label = index % 10
        noise = torch.randn(1, 28, 28, generator=torch.Generator().manual_seed(index))
        noise[:, 2 * label : 2 * label + 3] += 2
        return noise, label


data = Stripes()
