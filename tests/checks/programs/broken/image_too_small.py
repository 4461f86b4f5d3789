"""Five pools make nothing of 28 pixels."""

import torch
from torch import nn

CHECK = "shapes"
TOLD = ["pool", "too small"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(32 * 7 * 7, 10)

    def forward(self, x):
        x = self.conv2(torch.relu(self.conv1(x)))
        for _ in range(5):
            x = self.pool(x)
        return self.fc(x.flatten(1))
