"""An MLP with batch norm and dropout, as nn.Sequential, and AdamW."""

import torch
from torch import nn

Net = nn.Sequential(
    nn.Flatten(),
    nn.Linear(784, 128),
    nn.BatchNorm1d(128),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(128, 10),
)


def make_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=0.003)
