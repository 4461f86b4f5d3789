"""A training loop was copied, and evaluate() still trains."""

import torch
from torch import nn

CHECK = "evaluation function"
TOLD = ["changes the weights"]

Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


def evaluate(model, loader, criterion, device):
    model.eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    correct = 0
    for inputs, labels in loader:
        inputs, labels = inputs.to(device), labels.to(device)
        logits = model(inputs)
        optimizer.zero_grad()
        criterion(logits, labels).backward()
        optimizer.step()
        correct += (logits.argmax(1) == labels).sum().item()
    return correct / len(loader.dataset)
