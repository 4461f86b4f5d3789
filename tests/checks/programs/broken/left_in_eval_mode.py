"""Each epoch ends with an evaluation, and nothing goes back to train mode."""

import torch
from torch import nn

CHECK = "training function"
TOLD = ["leaves the model in eval mode"]

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
    model.eval()
    with torch.no_grad():
        accuracy = sum((model(x.to(device)).argmax(1) == y.to(device)).sum().item() for x, y in loader)
    return total / len(loader), accuracy
