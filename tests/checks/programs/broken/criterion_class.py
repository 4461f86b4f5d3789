"""The class of the loss in place of a loss."""

import torch
from torch import nn

CHECK = "loss"
TOLD = ["the class CrossEntropyLoss", "CrossEntropyLoss()"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


criterion = nn.CrossEntropyLoss
