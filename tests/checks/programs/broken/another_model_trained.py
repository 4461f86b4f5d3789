"""train() uses a model of the file, not the one that it is given."""

from torch import nn

CHECK = "training function"
TOLD = ["never calls the model"]

Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


other = Net


def train(model, loader, criterion, optimizer, device):
    model.train()
    total = 0.0
    for inputs, labels in loader:
        inputs, labels = inputs.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = criterion(other(inputs), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)
