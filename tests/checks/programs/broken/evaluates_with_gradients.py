"""evaluate() without no_grad()."""

from torch import nn

CHECK = "evaluation function"
TOLD = ["torch.no_grad()"]

Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


def evaluate(model, loader, criterion, device):
    model.eval()
    correct = 0
    for inputs, labels in loader:
        inputs, labels = inputs.to(device), labels.to(device)
        logits = model(inputs)
        correct += (logits.argmax(1) == labels).sum().item()
    return correct / len(loader.dataset)
