"""Recipe `cnn` in PyTorch, the model compiled by torch.compile, its channels side by side; the warm-up compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.plain_cnn import images, network, training


def prepare() -> Callable[[], float]:
    torch.manual_seed(0)
    model = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiled: Any = torch.compile(model)
    return training(compiled, *images(), memory_format=torch.channels_last)
