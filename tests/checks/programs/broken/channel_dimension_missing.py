"""The images of the data set have no channel dimension."""

import torch
from torch import nn

CHECK = "shapes"
TOLD = ["conv1", "channel dimension is missing", "unsqueeze(1)"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(32 * 7 * 7, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc(x.flatten(1))


data = torch.utils.data.TensorDataset(torch.randn(200, 28, 28), torch.arange(200) % 10)
