"""view(-1, n) with a wrong n makes four rows of each image."""

import torch
from torch import nn

CHECK = "shapes"
TOLD = ["batch dimension was lost", "flatten(1)"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(32 * 7 * 7, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = torch.relu(self.conv2(x))
        x = x.view(-1, 32 * 7 * 7)
        return self.fc(x)
