"""skorch: ``NeuralNetClassifier.partial_fit`` for one epoch, without its validation split and its printing."""

from __future__ import annotations

from collections.abc import Callable

import skorch
import torch
from torch import nn

from benchmarks import mnist
from benchmarks.lecture_script import Net
from benchmarks.peers import BATCH_SIZE, LEARNING_RATE


def prepare() -> Callable[[], float]:
    torch.manual_seed(0)
    pixels, labels = mnist.training_set()
    inputs = mnist.normalized(pixels)
    classifier = skorch.NeuralNetClassifier(
        Net,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        lr=LEARNING_RATE,
        batch_size=BATCH_SIZE,
        max_epochs=1,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )

    def epoch() -> float:
        classifier.partial_fit(inputs, labels)
        return float(classifier.history[-1, "train_loss"])

    return epoch
