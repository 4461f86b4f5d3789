"""An LSTM that reads an image row by row."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(28, 64, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        outputs, _ = self.lstm(x.squeeze(1))
        return self.head(outputs[:, -1])


def make_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)
