"""Each image divided by its own deviation, which is 0 for a blank one."""

import torch
from torch import nn

CHECK = "images"
TOLD = ["not finite numbers", "division by 0"]


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


images = torch.randn(200, 1, 28, 28)
images[7] = 0
images = images / images.std(dim=(1, 2, 3), keepdim=True)
data = torch.utils.data.TensorDataset(images, torch.arange(200) % 10)
