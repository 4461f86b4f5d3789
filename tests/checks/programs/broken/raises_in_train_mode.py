"""forward() uses in train mode alone what was never made."""

import torch
from torch import nn

CHECK = "train mode"
TOLD = ["raises_in_train_mode.py, line 19", "no attribute"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x.flatten(1)))
        if self.training:
            x = self.dropout(x)
        return self.fc2(x)
