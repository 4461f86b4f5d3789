"""train() does something impossible to the labels."""

from torch import nn

CHECK = "training function"
TOLD = ["raised", "line 16"]

Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


def train(model, loader, criterion, optimizer, device):
    model.train()
    total = 0.0
    for inputs, labels in loader:
        inputs, labels = inputs.to(device), labels.to(device)
        labels = labels.view(3, -1, 5)
        loss = criterion(model(inputs), labels)
    return total / len(loader)
