"""Label smoothing, and a shuffled DataLoader."""

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


criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
torch.manual_seed(0)
labels = torch.arange(2000) % 10
images = torch.randn(2000, 1, 28, 28) + nn.functional.one_hot(labels, 28).view(-1, 1, 28, 1)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=64, shuffle=True)
