"""Training on several processes, on one machine or many: torchrun's workers, PyTorch's process groups and its DDP.

Every process has the whole model and takes its share of each mini-batch; DistributedDataParallel adds up the
gradients while the backward pass still runs, so all take the same step. ``batch_size`` stays the size of the
whole mini-batch, so the trajectory is that of one process within rounding:

1. Shares are not padded. They may differ by an image, and that of the last mini-batch may be empty; each
   counts by the images in it.
2. Batch norm normalises by the whole mini-batch (`layers.py`).
3. Loss and right answers are summed over the images of all processes and divided once.

What augmentation and dropout draw differs: each process draws for itself, from the seed, the epoch and its rank.

Shapes: b images in a share, each (c, h, w); k classes.
"""

from honshi.training.distributed.epochs import SharedEpochs
from honshi.training.distributed.layers import shared_layers
from honshi.training.distributed.shares import SharedBatches, batches_of, loss_and_accuracy
from honshi.training.distributed.world import ALONE, World, joined, launched, leave

__all__ = [
    "ALONE",
    "SharedBatches",
    "SharedEpochs",
    "World",
    "batches_of",
    "joined",
    "launched",
    "leave",
    "loss_and_accuracy",
    "shared_layers",
]
