"""What a model answers, brought to one form: a number for each class.

Shapes: b images in a batch; k classes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def is_binary(logits: Tensor) -> bool:
    """Whether one number for each image, (b,) or (b, 1), tells two classes apart."""
    return logits.dim() == 1 or logits.shape[1] == 1


def of_each_class(logits: Tensor) -> Tensor:
    """Logits (b, k); of one output for two classes 0 and that, of which softmax makes what a sigmoid makes of it."""
    if not is_binary(logits):
        return logits
    logit = logits.flatten()
    return torch.stack([torch.zeros_like(logit), logit], 1)
