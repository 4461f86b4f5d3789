"""Epochs with a validation after each, and back to train mode."""

import torch
from torch import nn

Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


def train(model, train_loader, val_loader, criterion, optimizer, device, num_epochs):
    for _ in range(num_epochs):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            criterion(model(x.to(device)), y.to(device)).backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            sum(criterion(model(x.to(device)), y.to(device)).item() for x, y in val_loader)
