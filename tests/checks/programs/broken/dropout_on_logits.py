"""Dropout after the last layer deletes answers."""

from torch import nn

CHECK = "last layer"
TOLD = ["Dropout", "before the last layer"]


Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10), nn.Dropout(0.5))
