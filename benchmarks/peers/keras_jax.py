"""Keras on JAX: ``Model.fit`` for one epoch, its step compiled by the warm-up."""

from __future__ import annotations

import os
from collections.abc import Callable

import jax

from benchmarks import mnist
from benchmarks.peers import BATCH_SIZE, LEARNING_RATE


def prepare() -> Callable[[], float]:
    jax.config.update("jax_platforms", "cpu")
    # Keras asks for its backend once, when it is imported.
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    keras.utils.set_random_seed(0)
    pixels, labels = mnist.training_set()
    inputs = mnist.normalized(pixels)
    model = keras.Sequential(
        [
            keras.Input((28 * 28,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def epoch() -> float:
        history = model.fit(inputs, labels, batch_size=BATCH_SIZE, epochs=1, verbose=0)
        return float(history.history["loss"][0])

    return epoch
