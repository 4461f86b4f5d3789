"""A Dataset that stumbles over its own examples."""

import torch
from torch import nn

CHECK = "data"
TOLD = ["dataset_raises.py, line 26", "KeyError"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


class Pictures(torch.utils.data.Dataset):
    def __len__(self):
        return 200

    def __getitem__(self, index):
        return torch.randn(1, 28, 28), {"cat": 0, "dog": 1}["horse"]


data = Pictures()
