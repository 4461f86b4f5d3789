"""Two inputs for each example."""

import torch
from torch import nn

CHECK = "data"
TOLD = ["a list of 2", "one tensor"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def twice(items):
    inputs = torch.stack([x for x, _ in items])
    return [inputs, inputs], torch.stack([y for _, y in items])


examples = torch.utils.data.TensorDataset(torch.randn(200, 1, 28, 28), torch.arange(200) % 10)
data = torch.utils.data.DataLoader(examples, batch_size=16, collate_fn=twice)
