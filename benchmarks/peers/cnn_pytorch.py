"""Recipe `cnn` in PyTorch, a plain loop on tensors, features as PyTorch lays them out by itself."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.plain_cnn import images, network, training


def prepare() -> Callable[[], float]:
    torch.manual_seed(0)
    return training(network(), *images())
