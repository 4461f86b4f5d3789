"""Batches as dicts, as some libraries have them."""

import torch
from torch import nn

CHECK = "data"
TOLD = ["a dict with 'pixel_values' and 'label'", "(inputs, labels)"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def as_dict(items):
    return {"pixel_values": torch.stack([x for x, _ in items]), "label": torch.stack([y for _, y in items])}


examples = torch.utils.data.TensorDataset(torch.randn(200, 1, 28, 28), torch.arange(200) % 10)
data = torch.utils.data.DataLoader(examples, batch_size=16, collate_fn=as_dict)
