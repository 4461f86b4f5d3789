"""The data set gives images with the channels last."""

import torch
from torch import nn

CHECK = "shapes"
TOLD = ["conv1", "channels last", "permute(0, 3, 1, 2)"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(32 * 7 * 7, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc(x.flatten(1))


class Pictures(torch.utils.data.Dataset):
    def __init__(self):
        self.images = torch.randn(200, 28, 28, 3)
        self.labels = torch.arange(200) % 10

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]


data = Pictures()
