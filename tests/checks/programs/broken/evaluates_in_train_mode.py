"""evaluate() without eval()."""

import torch
from torch import nn

CHECK = "evaluation function"
TOLD = ["model.eval() is missing", "falsify"]

Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


def evaluate(model, loader, criterion, device):
    correct = 0
    with torch.no_grad():
        for inputs, labels in loader:
            inputs, labels = inputs.to(device), labels.to(device)
            logits = model(inputs)
            correct += (logits.argmax(1) == labels).sum().item()
    return correct / len(loader.dataset)
