"""Recipe `cnn` in Keras on JAX: ``Model.fit`` for one epoch, its step compiled by the warm-up."""

from __future__ import annotations

import os
from collections.abc import Callable

import jax

from benchmarks import mnist
from benchmarks.plain_cnn import BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY


def prepare() -> Callable[[], float]:
    jax.config.update("jax_platforms", "cpu")
    # Keras asks for its backend once, when it is imported.
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    keras.utils.set_random_seed(0)
    pixels, labels = mnist.training_set()
    inputs = mnist.normalized(pixels).reshape(-1, 28, 28, 1)
    layers = keras.layers
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for width in (16, 32, 64):
        model.add(layers.Conv2D(width, 3, padding="same", use_bias=False))
        model.add(layers.MaxPooling2D(2, padding="same"))
        model.add(layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10))
    model.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def epoch() -> float:
        history = model.fit(inputs, labels, batch_size=BATCH_SIZE, epochs=1, verbose=0)
        return float(history.history["loss"][0])

    return epoch
