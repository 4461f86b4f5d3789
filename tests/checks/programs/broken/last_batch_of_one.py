"""Batch norm, and one image left over for the last batch."""

import torch
from torch import nn

CHECK = "last batch"
TOLD = ["129", "batches of 64", "one image"]


Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))

labels = torch.arange(129) % 10
images = 0.3 * torch.randn(129, 1, 28, 28)
for image, label in zip(images, labels.tolist(), strict=True):
    image[:, 2 * label : 2 * label + 3] += 1

data = torch.utils.data.TensorDataset(images, labels)
