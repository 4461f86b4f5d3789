"""A recurrent network goes on from the hidden state of the batch before, with its graph."""

from torch import nn

CHECK = "gradients"
TOLD = ["self.hidden", "detach()"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(28, 32, batch_first=True)
        self.fc = nn.Linear(32, 10)
        self.hidden = None

    def forward(self, x):
        if self.hidden is not None and self.hidden.shape[1] != len(x):
            self.hidden = None
        x, self.hidden = self.rnn(x.squeeze(1), self.hidden)
        return self.fc(x[:, -1])
