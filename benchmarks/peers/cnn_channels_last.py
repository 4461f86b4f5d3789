"""Recipe `cnn` in PyTorch, a plain loop on tensors, the channels of a pixel side by side in memory."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.plain_cnn import images, network, training


def prepare() -> Callable[[], float]:
    torch.manual_seed(0)
    model = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return training(model, *images(), memory_format=torch.channels_last)
