"""train() is never called, so the first evaluation ends dropout for good."""

from torch import nn

CHECK = "training function"
TOLD = ["never calls model.train()"]

Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


def train(model, loader, criterion, optimizer, device):
    total = 0.0
    for inputs, labels in loader:
        inputs, labels = inputs.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)
