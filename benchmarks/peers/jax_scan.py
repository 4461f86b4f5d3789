"""JAX: the whole epoch is one compiled program, a ``lax.scan`` over its batches.

Only the order of the images is drawn outside, by numpy, which does that faster.

Shapes: b images in a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import mnist
from benchmarks.peers import BATCH_SIZE, LEARNING_RATE

Array = Any
# Weights (in, out) and bias (out,) of each layer.
Parameters = list[tuple[Array, Array]]


def prepare() -> Callable[[], float]:
    jax.config.update("jax_platforms", "cpu")
    random = np.random.default_rng(0)
    pixels, targets = mnist.training_set()
    inputs, labels = jnp.asarray(mnist.normalized(pixels)), jnp.asarray(targets, dtype=jnp.int32)
    parameters = [_layer(random, *sizes) for sizes in ((784, 128), (128, 64), (64, 10))]
    train = jax.jit(_train, donate_argnums=0)

    def epoch() -> float:
        nonlocal parameters
        order = random.permutation(len(targets)).astype(np.int32)
        parameters, loss = train(parameters, inputs, labels, order)
        # Reading the loss waits for the program, which gives all its results at once.
        return float(loss)

    return epoch


def _layer(random: np.random.Generator, inputs: int, outputs: int) -> tuple[Array, Array]:
    """Drawn as torch draws a Linear."""
    bound = inputs**-0.5
    weight = random.uniform(-bound, bound, (inputs, outputs)).astype(np.float32)
    bias = random.uniform(-bound, bound, outputs).astype(np.float32)
    return jnp.asarray(weight), jnp.asarray(bias)


def _loss(parameters: Parameters, inputs: Array, labels: Array) -> Array:
    """Mean cross-entropy of inputs (b, 784) with labels (b,)."""
    *hidden, (weight, bias) = parameters
    for hidden_weight, hidden_bias in hidden:
        inputs = jax.nn.relu(inputs @ hidden_weight + hidden_bias)
    log_probabilities = jax.nn.log_softmax(inputs @ weight + bias)
    return -jnp.take_along_axis(log_probabilities, labels[:, None], axis=1).mean()


def _train(parameters: Parameters, inputs: Array, labels: Array, order: Array) -> tuple[Parameters, Array]:
    """Go through the images in this order; the parameters after it and the mean loss."""

    def step(parameters: Parameters, places: Array) -> tuple[Parameters, Array]:
        loss, gradients = jax.value_and_grad(_loss)(parameters, inputs[places], labels[places])
        moved = jax.tree.map(lambda value, gradient: value - LEARNING_RATE * gradient, parameters, gradients)
        return moved, loss

    # All steps of a scan have the same shape, so the last, smaller batch follows on its own.
    full = len(order) // BATCH_SIZE * BATCH_SIZE
    parameters, losses = jax.lax.scan(step, parameters, order[:full].reshape(-1, BATCH_SIZE))
    parameters, last = step(parameters, order[full:])
    return parameters, (losses.sum() * BATCH_SIZE + last * (len(order) - full)) / len(order)
