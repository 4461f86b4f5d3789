"""A loss that looks at the model's weights."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


model = Net()


def make_model():
    return model


def criterion(logits, labels):
    return nn.functional.cross_entropy(logits, labels) + 1e-5 * sum(p.abs().sum() for p in model.parameters())
