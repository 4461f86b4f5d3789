"""Gradients gathered over two batches before each step."""

from torch import nn

Net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


def train(net, train_loader, loss_fn, opt, dev):
    net.train()
    opt.zero_grad()
    for number, (x, y) in enumerate(train_loader, start=1):
        loss = loss_fn(net(x.to(dev)), y.to(dev)) / 2
        loss.backward()
        if number % 2 == 0:
            opt.step()
            opt.zero_grad()
