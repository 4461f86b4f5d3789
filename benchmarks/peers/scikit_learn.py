"""scikit-learn: ``MLPClassifier.partial_fit``, which is one epoch, in float32 and without its default L2 penalty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks import mnist
from benchmarks.peers import BATCH_SIZE, LEARNING_RATE


def prepare() -> Callable[[], float]:
    pixels, labels = mnist.training_set()
    inputs = mnist.normalized(pixels)
    classifier = MLPClassifier(
        hidden_layer_sizes=(128, 64),
        solver="sgd",
        learning_rate_init=LEARNING_RATE,
        momentum=0.0,
        alpha=0.0,
        batch_size=BATCH_SIZE,
        random_state=0,
    )

    def epoch() -> float:
        classifier.partial_fit(inputs, labels, classes=np.arange(10))
        return float(classifier.loss_)

    return epoch
