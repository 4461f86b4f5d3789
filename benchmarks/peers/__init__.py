"""One epoch of the same training, by each library's own means: one file a peer.

The training: 60,000 images of MNIST normalised by (0.5, 0.5), the network 784-128-64-10 with ReLU,
cross-entropy, SGD with learning rate 0.1 in float32, batches of 64 in a new order each epoch, one
update after the other, on the CPU.

Each file has one function, ``prepare()``. It reads the data, builds the network, and returns a function
that trains it for one more epoch and returns that epoch's mean training loss. Only that function is
timed. Each library runs with its own defaults, apart from what would write, print or validate.
"""

from __future__ import annotations

BATCH_SIZE = 64
LEARNING_RATE = 0.1

# The module of each peer in this folder, and what the table calls it.
PEERS = {
    "honshi": "honshi",
    "honshi_readable": "honshi, the readable loop",
    "lecture": "the lecture's script",
    "lightning": "PyTorch Lightning, DataLoader on tensors",
    "skorch": "skorch",
    "dataloader": "PyTorch, DataLoader on tensors",
    "scikit_learn": "scikit-learn MLPClassifier",
    "plain_pytorch": "PyTorch, plain loop on tensors",
    "keras_jax": "Keras on JAX",
    "jax_scan": "JAX, lax.scan over the epoch",
    "matrix_products": "the limit: matrix products alone",
}
# The same of recipe `cnn`: 60,000 images in batches of 128, AdamW, float32.
CONVOLUTIONAL = {
    "cnn_honshi": "honshi, recipe cnn",
    "cnn_pytorch": "PyTorch, plain loop on tensors",
    "cnn_channels_last": "PyTorch, channels_last",
    "cnn_torch_compile": "PyTorch, torch.compile, channels_last",
    "cnn_keras_jax": "Keras on JAX",
}
# These learn nothing, so they have no loss to be checked.
LIMITS = ("matrix_products",)
