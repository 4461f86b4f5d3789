"""F.dropout drops in eval mode too."""

import torch
from torch import nn

CHECK = "modes"
TOLD = ["F.dropout", "self.training"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        x = nn.functional.dropout(torch.relu(self.fc1(x)), 0.5)
        x = torch.relu(self.fc2(x))
        return self.fc3(x)
