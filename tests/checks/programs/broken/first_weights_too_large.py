"""First weights a hundred times too large."""

import torch
from torch import nn

CHECK = "first loss"
TOLD = ["sure of wrong answers"]


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


def make_model():
    model = Net()
    for layer in model.children():
        nn.init.normal_(layer.weight, std=1)
    return model
